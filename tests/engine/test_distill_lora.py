"""Distilling into an adapter brings the student nearer to its teacher, and resumes exactly in the middle of its own answers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest
from tests.engine.stage_running import Outcome

FEW = {
    "max_steps": 4, "batch_size": 2, "epochs": 9, "eval_rows": 2, "eval_every": 2, "general_rows": 2, "warmup_ratio": 0.0, "rank": 8,
    "checkpoint_every": 2, "dropout": 0.1, "temperature": 1.5, "on_policy": 0.5, "own_tokens": 8, "learning_rate": 1e-2,
}  # fmt: skip
SEED = 4  # the student then answers itself in the first and the third step


@pytest.fixture(scope="module")
def distilled(tiny_student: Path, tiny_teacher: Path, topics: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    from engine.spec import Spec
    from tests.engine.stage_running import run_stage

    inputs = {"model": str(tiny_student), "teacher": str(tiny_teacher), "dataset": str(topics)}
    return run_stage(tmp_path_factory.mktemp("distilled") / "run", Spec(stage="distill_lora", params=FEW, inputs=inputs, seed=SEED))


def test_the_student_comes_nearer_to_its_teacher(distilled: Outcome) -> None:
    away = distilled.metric("eval_kl")
    assert sorted(away) == [0, 2, 4] and away[4] < away[0]
    assert sorted(set(distilled.metric("own_answers").values())) == [0.0, 1.0]
    assert sorted(distilled.metric("general_loss")) == [0, 2, 4]


def test_it_hands_over_an_adapter_of_the_base(distilled: Outcome, tiny_student: Path, tiny_teacher: Path) -> None:
    record = manifest.verify(distilled.output("adapter"))
    assert set(record.files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert record.facts["base"] == manifest.read(tiny_student).sha256 and record.facts["teacher"] == manifest.read(tiny_teacher).sha256
    from engine.lib import adapters, models

    assert adapters.load_adapter(models.load_model(tiny_student), distilled.output("adapter")).peft_config["default"].r == 8


def test_it_resumes_exactly_with_the_answers_it_would_have_written(
    distilled: Outcome, engine_run: Callable[..., Outcome], tiny_student: Path, tiny_teacher: Path, topics: Path
) -> None:
    inputs = {"model": tiny_student, "teacher": tiny_teacher, "dataset": topics}
    checkpoint = distilled.folder / "checkpoints" / "00000002"
    resumed = engine_run("distill_lora", FEW, inputs, seed=SEED, resume_from=checkpoint)
    own = distilled.metric("own_answers")
    assert own == {1: 1.0, 2: 0.0, 3: 1.0, 4: 0.0}
    for name in ("train_loss", "kl"):
        whole = distilled.metric(name)
        assert resumed.metric(name) == {3: whole[3], 4: whole[4]}
