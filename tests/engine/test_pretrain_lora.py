"""Continued pre-training with an adapter learns the documents' language, resumes exactly, and leaves the base as it was."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest
from tests.engine.stage_running import Outcome

FEW = {
    "max_steps": 4, "batch_size": 2, "max_length": 128, "eval_rows": 4, "general_rows": 2, "warmup_ratio": 0.0, "eval_every": 2,
    "checkpoint_every": 2, "rank": 8, "alpha": 16, "dropout": 0.1, "learning_rate": 1e-2,
}  # fmt: skip


@pytest.fixture(scope="module")
def read(tiny_student: Path, reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    from engine.spec import Spec
    from tests.engine.stage_running import run_stage

    spec = Spec(stage="pretrain_lora", params=FEW, inputs={"model": str(tiny_student), "chunks": str(reference)}, seed=2)
    return run_stage(tmp_path_factory.mktemp("read") / "run", spec)


def test_it_learns_the_documents_language(read: Outcome) -> None:
    evals = read.metric("eval_loss")
    assert evals[4] < evals[0] - 0.05
    assert sorted(read.metric("general_loss")) == [0, 2, 4]
    assert read.of("finished")[0]["summary"]["blocks"] > 50


def test_it_hands_over_an_adapter_that_says_what_it_was_made_from(read: Outcome, tiny_student: Path, reference: Path) -> None:
    record = manifest.verify(read.output("adapter"))
    assert set(record.files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert (record.facts["method"], record.facts["rank"]) == ("pretrain_lora", 8)
    assert record.facts["base"] == manifest.read(tiny_student).sha256
    assert record.facts["chunks"] == manifest.read(reference).sha256
    from engine.lib import adapters, models

    assert adapters.load_adapter(models.load_model(tiny_student), read.output("adapter")).peft_config["default"].r == 8


def test_it_resumes_exactly(read: Outcome, engine_run: Callable[..., Outcome], tiny_student: Path, reference: Path) -> None:
    inputs = {"model": tiny_student, "chunks": reference}
    checkpoint = read.folder / "checkpoints" / "00000002"
    resumed = engine_run("pretrain_lora", FEW, inputs, seed=2, resume_from=checkpoint)
    whole = read.metric("train_loss")
    assert resumed.metric("train_loss") == {3: whole[3], 4: whole[4]}


def test_weights_can_be_held_near_their_start(engine_run: Callable[..., Outcome], tiny_student: Path, reference: Path) -> None:
    params = FEW | {"hold": "l2", "hold_strength": 1.0, "max_steps": 2, "general_rows": 0}
    outcome = engine_run("pretrain_lora", params, {"model": tiny_student, "chunks": reference})
    assert outcome.metric("penalty")[2] > 0
