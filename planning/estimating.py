"""Time, memory and disk of a recommendation, as far as this machine can tell beforehand."""

from dataclasses import replace
from typing import Any

from planning.recommending import Recommendation

QUANTISED, MERGED = 0.35, 1.0  # of the 16-bit weights: a 4-bit file with its overhead, the merged model


def estimated(recommendation: Recommendation) -> Recommendation:
    """With the memory of its first model, and the disk its steps leave behind."""
    best = next((model for model in recommendation.models if model.fits), None)
    if best is None:
        return recommendation
    stages = [step["stage"] for step in recommendation.steps]
    weights = 2 * best.parameters
    disk = int(weights * (1 + MERGED * ("merge" in stages) + QUANTISED * ("quantize" in stages)))
    estimates: dict[str, Any] = {"memory_bytes": best.needs, "disk_bytes": disk}
    return replace(recommendation, estimates=estimates)
