"""Whether two forms of a model are the same model: their logits and their answers on one prompt."""

from collections.abc import Sequence
from typing import Any


def compare_logits(first: Any, second: Any) -> dict[str, float]:
    """``first`` and ``second``: logits (tokens × vocabulary) of the same text.

    Out: ``difference``, the mean distance of the two relative to the spread of the first; ``kl``, the mean divergence in nats;
    ``agreement``, the share of places where both find the same token most likely.
    """
    import torch

    first, second = first.float(), second.float()
    p, q = torch.log_softmax(first, -1), torch.log_softmax(second, -1)
    return {
        "difference": float((first - second).abs().mean() / first.std()),
        "kl": float((p.exp() * (p - q)).sum(-1).mean()),
        "agreement": float((first.argmax(-1) == second.argmax(-1)).float().mean()),
    }


def common_start(first: Sequence[int], second: Sequence[int]) -> float:
    """The share of the longer answer up to which both say the same; 1 for equal answers."""
    same = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        same += 1
    return same / max(len(first), len(second), 1)
