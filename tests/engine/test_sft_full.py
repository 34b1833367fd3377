"""Full fine-tuning moves every weight and hands over a model of its own."""

import json
from collections.abc import Callable
from pathlib import Path

from engine import manifest
from engine.lib import models

TWO_STEPS = {"max_steps": 2, "batch_size": 2, "warmup_ratio": 0.0, "general_rows": 2, "eval_rows": 2}


def test_it_hands_over_a_whole_model_in_bf16(engine_run: Callable, base_model: Path, topics: Path) -> None:
    import torch
    from safetensors.torch import load_file

    # in fp32 the model is its own master; what is handed over is bf16 all the same
    outcome = engine_run("sft_full", TWO_STEPS | {"precision": "fp32"}, {"model": base_model, "dataset": topics})
    record, base = manifest.verify(outcome.output("model")), manifest.read(base_model)
    assert record.kind == "hf-model"
    assert set(record.files) == set(base.files)
    for fact in ("parameters", "layers", "context_length", "family", "name"):
        assert record.facts[fact] == base.facts[fact]
    assert (record.facts["method"], record.facts["dtype"], record.facts["base"]) == ("full", "bfloat16", base.sha256)
    assert record.facts["dataset"] == manifest.read(topics).sha256
    assert str(base_model) not in (outcome.output("model") / "config.json").read_text()
    assert json.loads((outcome.output("model") / "config.json").read_text())["dtype"] == "bfloat16"
    before, after = (load_file(str(folder / "model.safetensors")) for folder in (base_model, outcome.output("model")))
    assert before.keys() == after.keys()
    assert all(weight.dtype == torch.bfloat16 for weight in after.values())
    # one step at 0.00002 is less than bf16 can tell in large weights; in every layer there are some that moved
    assert all(not torch.equal(before[name], after[name]) for name in before if "proj" in name or "embed" in name)
    assert models.speak(models.load_model(outcome.output("model")), models.load_tokenizer(outcome.output("model")), "What is a list?")
