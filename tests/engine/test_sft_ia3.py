"""IA3 learns factors for keys, values and feed-forward layers: a handful of numbers, kept exactly."""

from collections.abc import Callable
from pathlib import Path

from engine import manifest
from engine.lib import adapters, models

PARAMS = {"max_steps": 3, "batch_size": 2, "warmup_ratio": 0.0, "general_rows": 0, "eval_rows": 2, "learning_rate": 1e-3}


def test_its_adapter_is_tiny_and_as_exact_as_it_was_learnt(engine_run: Callable, base_model: Path, topics: Path) -> None:
    import torch
    from safetensors.torch import load_file

    outcome = engine_run("sft_ia3", PARAMS, {"model": base_model, "dataset": topics})
    record = manifest.verify(outcome.output("adapter"))
    assert (record.kind, record.facts["method"]) == ("adapter", "ia3")
    assert record.bytes < 1_000_000
    factors = load_file(str(outcome.output("adapter") / "adapter_model.safetensors"))
    assert len(factors) == 30 * 3
    for factor in factors.values():
        assert factor.dtype == torch.float32
        assert 0 < (factor - 1).abs().max() < 2**-8  # nearer to 1 than bf16 has numbers
    # …and the model that answers has them so
    model = adapters.load_adapter(models.load_model(base_model, dtype=torch.bfloat16), outcome.output("adapter"))
    loaded = {name: weight for name, weight in model.named_parameters() if "ia3_" in name}
    assert len(loaded) == len(factors)
    assert all((weight - 1).abs().max() > 0 for weight in loaded.values())
