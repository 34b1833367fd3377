"""On the real small model the first losses of what learns from preferences and rewards are those of TRL's own trainers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils.module_loading import import_string

from engine import events
from engine.context import Context
from engine.lib import models
from engine.lib.training.preferences import read_judged
from engine.lib.training.settings import LoopParams
from engine.spec import Spec
from tests.engine import preference_kit, test_grpo, test_reward, test_rloo
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow
FEW: dict[str, Any] = {"max_steps": 2, "learning_rate": 1e-4}
OURS = FEW | {"eval_rows": 2, "general_rows": 0}


@pytest.mark.parametrize(
    ("stage", "trainer", "settings", "options"),
    [
        ("dpo", "trl.DPO", {}, {}),
        ("dpo", "trl.DPO", {"loss": "ipo"}, {"loss_type": "ipo"}),
        ("orpo", "trl.experimental.orpo.ORPO", {"beta": 1.0}, {"beta": 1.0}),
        ("simpo", "trl.experimental.cpo.CPO", {}, {"loss_type": "simpo", "cpo_alpha": 0.0, "beta": 2.0, "simpo_gamma": 1.0}),
        ("kto", "trl.KTO", {}, {}),
    ],
)
def test_preferences(
    stage: str, trainer: str, settings: dict[str, Any], options: dict[str, Any],
    prefer: Callable[..., Outcome], base_model: Path, preferences: Path, tmp_path: Path,
) -> None:  # fmt: skip
    rows = preference_kit.in_the_trainers_form(preference_kit.preference_rows(12))
    if stage == "kto":
        context = Context(tmp_path, Spec(stage="kto", inputs={"dataset": str(preferences)}), events.EventWriter(tmp_path))
        rows = read_judged(context, LoopParams(max_length=160), models.load_tokenizer(base_model), plain=True).train
    theirs = preference_kit.losses_of_the_library(
        import_string(f"{trainer}Trainer"), import_string(f"{trainer}Config"), base_model, rows, tmp_path / "trl", **FEW, **options
    )
    ours = prefer(stage, model=base_model, **OURS, **settings)
    assert ours.metric("train_loss") == pytest.approx(theirs, abs=1e-3) and len(theirs) == 2


def test_a_judge(prefer: Callable[..., Outcome], base_model: Path, tmp_path: Path) -> None:
    theirs = test_reward.losses_of_the_library(base_model, tmp_path / "trl", **FEW)
    assert prefer("reward", model=base_model, center=0, **OURS).metric("train_loss") == pytest.approx(theirs, abs=1e-3)


def test_rewards(prefer: Callable[..., Outcome], base_model: Path, reward_model: Path, tmp_path: Path) -> None:
    theirs = test_rloo.plain_run(base_model, reward_model, tmp_path / "trl", **FEW)
    ours = prefer("rloo", model=base_model, reward=reward_model, **test_rloo.WRITING | OURS)
    same(ours, theirs)


def test_rules(prefer: Callable[..., Outcome], base_model: Path, tmp_path: Path) -> None:
    theirs = test_grpo.plain_run(base_model, tmp_path / "trl", **FEW)
    same(prefer("grpo", model=base_model, **test_grpo.WRITING | test_grpo.RULES | OURS), theirs)


def same(ours: Outcome, theirs: dict[int, dict[str, Any]]) -> None:
    for mine, name in {"train_loss": "loss", "reward": "reward", "kl": "kl"}.items():
        assert ours.metric(mine) == pytest.approx({step: entry[name] for step, entry in theirs.items()}, abs=1e-3), mine
    assert len(theirs) == 2
