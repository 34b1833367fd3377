"""Training that was cut in the middle of an epoch, with dropout, goes on as if it had not been. LoRA's own test is in `test_sft.py`."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest
from tests.engine.stage_running import FOUR_STEPS

# 24 pairs make 6 steps of 4: the cut after 2 of 4 steps lies in the middle of the first epoch
WITHOUT_ADAPTER = {name: value for name, value in FOUR_STEPS.items() if name != "dropout"}


@pytest.fixture
def forgetful(tiny_student: Path, tmp_path: Path) -> Path:
    """A model with dropout of its own: full training adds none."""
    folder = tmp_path / "forgetful"
    shutil.copytree(tiny_student, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attention_dropout": 0.1}))
    manifest.write(folder, "hf-model", facts=manifest.read(tiny_student).facts)
    return folder


@pytest.mark.parametrize(
    ("stage", "params", "model", "made"),
    [
        ("sft_full", WITHOUT_ADAPTER, "forgetful", ("model", "model.safetensors")),
        ("sft_qlora", FOUR_STEPS, "tiny_student", ("adapter", "adapter_model.safetensors")),
    ],
)
def test_a_resumed_training_ends_where_an_uninterrupted_one_does(
    stage: str, params: dict, model: str, made: tuple[str, str], engine_run: Callable, topics: Path, request: pytest.FixtureRequest
) -> None:
    inputs = {"model": request.getfixturevalue(model), "dataset": topics}
    params = params | {"general_rows": 2}
    whole = engine_run(stage, params, inputs, seed=3)
    cut = engine_run(stage, params, inputs, seed=3, expect=-9, STUDIO_FAULT="checkpoint.after_rename")
    (checkpoint,) = sorted((cut.folder / "checkpoints").iterdir())
    resumed = engine_run(stage, params, inputs, seed=3, resume_from=checkpoint)
    losses = whole.metric("train_loss")
    assert sorted(losses) == [1, 2, 3, 4]
    assert resumed.metric("train_loss") == pytest.approx({3: losses[3], 4: losses[4]}, abs=1e-6)
    assert resumed.metric("eval_loss")[4] == pytest.approx(whole.metric("eval_loss")[4], abs=1e-6)
    role, file = made
    assert manifest.read(resumed.output(role)).files[file] == manifest.read(whole.output(role)).files[file]
