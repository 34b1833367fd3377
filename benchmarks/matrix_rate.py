"""How fast this machine multiplies matrices, and how many products a training is made of."""

import time
from pathlib import Path

SIDE, TRIES = 2048, 8


def measure() -> float:
    """The best of some square products in bf16, in floating point operations a second."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    left, right = (torch.randn(SIDE, SIDE, dtype=torch.bfloat16, device=device) for _ in range(2))
    best = 0.0
    for _ in range(TRIES):
        began = time.perf_counter()
        product = left @ right
        float(product[0, 0])  # waits for a GPU
        best = max(best, 2 * SIDE**3 / (time.perf_counter() - began))
    return best


def of_training(model: Path, all_tokens: int, loss_tokens: int, rank: int) -> float:
    """Floating point operations of training LoRA of ``rank`` on all linear layers with that many tokens in all.

    A product of n weights takes 2n operations a token forward and 2n back to its input; weights that learn take 2n more. The output
    head is needed only where there is loss. Attention's own products are left out: on short texts they are under a twentieth.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        loaded = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(model))
    head = loaded.get_output_embeddings()
    linear = [one for one in loaded.modules() if isinstance(one, torch.nn.Linear) and one is not head]
    frozen = sum(one.weight.numel() for one in linear)
    learns = sum(rank * (one.in_features + one.out_features) for one in linear)
    return all_tokens * (4 * frozen + 6 * learns) + loss_tokens * 4 * head.weight.numel()
