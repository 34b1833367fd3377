"""Time, memory and disk of a recommendation, as far as this machine can tell beforehand."""

from dataclasses import replace
from typing import Any

from planning.recommending import Recommendation
from planning.rules import Answers, Rules
from training.estimates import estimate
from training.preflight import Shape

FINE_TUNING = ("sft", "sft_qlora", "sft_full")
QUANTISED = 0.35  # a 4-bit file with its overhead, of the 16-bit weights


def estimated(recommendation: Recommendation, answers: Answers, rules: Rules) -> Recommendation:
    """With what its first model needs: for training the time and memory on this machine, else memory to answer; and the disk."""
    best = next((model for model in recommendation.models if model.fits), None)
    if best is None:
        return recommendation
    params = {step["stage"]: step["params"] for step in recommendation.steps}
    disk = int(2 * best.parameters * (1 + QUANTISED * ("quantize" in params)))
    estimates: dict[str, Any] = {"memory_bytes": best.needs, "disk_bytes": disk}
    trained = next((stage for stage in FINE_TUNING if stage in params), None)
    if trained:
        pairs = rules.assumed.pairs[(answers.get("learn_from") or ("some",))[0]]
        shape = Shape(pairs, 0, 0, tokens=pairs * rules.assumed.tokens_a_pair, longest=rules.assumed.longest_pair)
        found = estimate(shape=shape, parameters=best.parameters, params=params[trained], base_key=best.key, stage=trained)
        estimates = {
            "memory_bytes": found.memory,
            "disk_bytes": found.disk,
            "seconds": round(found.seconds),
            "pairs": pairs,
            "basis": found.basis,
        }
    return replace(recommendation, estimates=estimates)
