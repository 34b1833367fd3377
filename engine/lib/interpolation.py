"""The straight line between the weights of two models (WiSE-FT, Wortsman et al. 2022, https://arxiv.org/abs/2109.01903)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.exits import InputError

Weights = dict[str, Any]


@dataclass(frozen=True)
class Point:
    """``ratio`` of the way from the base (0) to the tuned model (1), and the losses there in nats a token."""

    ratio: float
    eval_loss: float
    general_loss: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def weights_of(model: Any) -> Weights:
    """A copy of the weights in bf16, as models are kept; those that are shared, once."""
    import torch

    return {name: weight.detach().to(torch.bfloat16, copy=True) for name, weight in model.named_parameters()}


def check_alike(base: Weights, tuned: Weights) -> None:
    """Raise ``InputError`` unless both have the same weights of the same shapes."""
    shapes = [{name: weight.shape for name, weight in of.items()} for of in (base, tuned)]
    different = [name for name in shapes[0] | shapes[1] if shapes[0].get(name) != shapes[1].get(name)]
    if different:
        raise InputError(
            "tuned_mismatch",
            f"The two models are not of one shape: {len(different)} of their weights differ, for example {min(different)}.",
            where="tuned",
            mend="Choose the base model that the tuned one was trained from.",
        )


def go_to(model: Any, base: Weights, tuned: Weights, ratio: float) -> None:
    """Set the weights of ``model`` to base + ratio · (tuned − base), computed in fp32 and rounded to the model's own precision."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(torch.lerp(base[name].float(), tuned[name].float(), ratio))


def ratios(count: int, chosen: float | None) -> list[float]:
    """``count`` ratios from 0 to 1 at equal distances, and the ``chosen`` one among them."""
    found = {round(step / (count - 1), 4) for step in range(count)}
    return sorted(found | ({chosen} if chosen is not None else set()))


def best_within(points: Sequence[Point], budget: float) -> Point:
    """The lowest ``eval_loss`` of those whose ``general_loss`` is at most ``budget`` above that of the base, the first of ``points``."""
    within = [point for point in points if point.general_loss - points[0].general_loss <= budget]
    return min(within, key=lambda point: point.eval_loss)
