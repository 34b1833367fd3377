"""Prompt tuning hands over a soft prompt, which can be evaluated; it refuses texts that leave no room for it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest

PARAMS = {"max_steps": 3, "batch_size": 2, "warmup_ratio": 0.0, "general_rows": 0, "eval_rows": 2, "learning_rate": 3e-2}


def test_it_hands_over_a_soft_prompt_that_can_be_evaluated(engine_run: Callable, base_model: Path, topics: Path) -> None:
    from safetensors.torch import load_file

    inputs = {"model": base_model, "dataset": topics}
    outcome = engine_run("sft_prompt", PARAMS | {"virtual_tokens": 8, "schedule": "constant"}, inputs)
    record = manifest.verify(outcome.output("adapter"))
    assert (record.kind, record.facts["method"], record.facts["virtual_tokens"]) == ("soft-prompt", "prompt tuning", 8)
    assert set(record.files) == {"adapter_config.json", "adapter_model.safetensors"}
    (learnt,) = load_file(str(outcome.output("adapter") / "adapter_model.safetensors")).values()
    assert learnt.shape == (8, manifest.read(base_model).facts["hidden"])
    assert next(sample["title"] for sample in outcome.of("sample")) == "Before training"

    quick = {"test_rows": 4, "answer_rows": 2, "general_questions": 2, "max_new_tokens": 6}
    evaluated = engine_run("evaluate", quick, inputs | {"soft_prompt": outcome.output("adapter")})
    report = json.loads((evaluated.output("report") / "report.json").read_text())
    base, tuned = report["base"]["loss"]["value"], report["tuned"]["loss"]["value"]
    assert report["gain"]["loss"]["value"] == pytest.approx(base - tuned)
    assert base != tuned
    assert evaluated.of("artifact")[0]["facts"]["soft_prompt"] == record.sha256


def test_it_wants_room_for_its_tokens(engine_run: Callable, base_model: Path, dataset_of: Callable) -> None:
    long = dataset_of(train=[("What?", "word " * 9000)] * 9)
    refused = engine_run("sft_prompt", {"max_length": 8192, "virtual_tokens": 20}, {"model": base_model, "dataset": long}, expect=20)
    (error,) = refused.of("error")
    assert error["code"] == "context"
    assert str(manifest.read(base_model).facts["context_length"] - 20) in error["message"]
