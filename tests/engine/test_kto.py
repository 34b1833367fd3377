"""KTO learns from answers judged one by one, as the library does it, and counts pairs without a worse answer as good."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import events, manifest
from engine.context import Context
from engine.lib import models
from engine.lib.training.preferences import read_judged
from engine.lib.training.settings import LoopParams
from engine.spec import Spec
from tests.engine import preference_kit
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow


def test_good_answers_are_rewarded_above_bad_ones_as_with_the_library(
    prefer: Callable[..., Outcome],
    tiny_model: Path,
    preferences: Path,
    tmp_path: Path,
) -> None:
    from trl import KTOConfig, KTOTrainer

    done = prefer("kto", eval_rows=8)
    rewards = {side: done.metric(f"eval_rewards_{side}") for side in ("chosen", "rejected")}
    assert rewards["chosen"][0] == rewards["rejected"][0] == 0
    assert rewards["chosen"][4] > rewards["rejected"][4]
    assert "kl" in done.of("metric")[3]["values"] or done.metric("kl")

    context = Context(tmp_path, Spec(stage="kto", inputs={"dataset": str(preferences)}), events.EventWriter(tmp_path))
    rows = read_judged(context, LoopParams(max_length=160), models.load_tokenizer(tiny_model), plain=True).train
    assert [sum(row["label"] for row in rows), len(rows)] == [12, 24]
    plain = preference_kit.losses_of_the_library(KTOTrainer, KTOConfig, tiny_model, rows, tmp_path / "plain")
    assert done.metric("train_loss") == pytest.approx(plain, abs=1e-3)

    assert manifest.verify(done.output("adapter")).facts["method"] == "kto"
    preference_kit.answers_as_adapter(tiny_model, done.output("adapter"))


def test_pairs_without_a_worse_answer_are_good_answers(tiny_model: Path, tmp_path: Path) -> None:
    rows = preference_kit.preference_rows(12)
    half = [row if number < 6 else {name: row[name] for name in ("id", "messages")} for number, row in enumerate(rows)]
    folder = preference_kit.write_dataset(tmp_path / "dataset", train=half)
    context = Context(tmp_path, Spec(stage="kto", inputs={"dataset": str(folder)}), events.EventWriter(tmp_path))
    tokenizer = models.load_tokenizer(tiny_model)
    counts = [len(read_judged(context, LoopParams(), tokenizer, plain=plain).train) for plain in (True, False)]
    assert counts == [12 + 6, 6 + 6]
