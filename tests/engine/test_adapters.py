"""LoRA's relatives, on a tiny model: what the settings say is what is computed, saved and loaded again."""

from pathlib import Path
from typing import Any

import pytest

from engine.lib import adapters
from engine.lib.training.settings import LoraParams
from engine.lib.training.weights import Masters

pytestmark = pytest.mark.slow
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}


def tiny() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    return LlamaForCausalLM(LlamaConfig(**SIZES)).to(torch.bfloat16).eval()


def logits(model: Any) -> Any:
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.arange(3, 20)[None]).logits.float()


@pytest.mark.parametrize(("rslora", "strength"), [(False, 32 / 16), (True, 32 / 4)])
def test_rslora_divides_by_the_root_of_the_rank(rslora: bool, strength: float) -> None:
    model = adapters.attach_lora(tiny(), LoraParams(rank=16, alpha=32, rslora=rslora))
    assert {layer.scaling["default"] for layer in model.modules() if hasattr(layer, "lora_A")} == {strength}


@pytest.mark.parametrize("settings", [{}, {"dora": True}, {"rslora": True}, {"dora": True, "rslora": True, "target": "attention"}], ids=str)
def test_an_adapter_begins_as_nothing_and_what_it_learnt_comes_back(settings: dict[str, Any], tmp_path: Path) -> None:
    import torch

    before = logits(tiny())
    model = adapters.attach_lora(tiny(), LoraParams(rank=4, alpha=8, **settings)).eval()
    torch.testing.assert_close(logits(model), before, rtol=0.02, atol=0.02)
    masters = Masters(model)
    assert any("lora_magnitude_vector" in name for name in masters.weights) is settings.get("dora", False)
    assert all(("self_attn" in name) for name in masters.weights) is (settings.get("target") == "attention")
    with torch.no_grad():
        for weight in masters.parameters():
            weight += 0.3 * torch.rand_like(weight)
    masters.publish()
    assert (logits(model) - before).abs().max() > 0.1
    adapters.save_adapter(model, masters, tmp_path / "adapter")
    again = adapters.load_adapter(tiny(), tmp_path / "adapter")
    torch.testing.assert_close(logits(again), logits(model), rtol=1e-3, atol=1e-3)
