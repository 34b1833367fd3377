"""Which base model fits: memory by the guides' table, use by their recommendations, and what is on this machine already."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import log10
from typing import Any

from planning.rules import Answers, Hardware, Memory, Rules, matches

MOST_SHOWN = 5
HERE, INSTRUCT = 0.8, 2.0  # weights; a tenfold of parameters counts 1


@dataclass(frozen=True)
class ModelFit:
    """A base model under the recommended approach: whether it fits, how much memory it needs, and why it stands where it stands."""

    key: str
    name: str
    size: str
    licence: str
    needs: int
    available: int
    fits: bool
    here: bool
    reasons: tuple[str, ...]
    parameters: int


def rank(rules: Rules, answers: Answers, *, mode: str, models: Iterable[Any]) -> list[ModelFit]:
    """``models`` (of catalogue.selectors) that fit, the best first, then the nearest of those that do not; none whose size is not known.

    ``mode`` names a row of ``rules.memory``: what is to be done with the model. Nothing while the hardware is not known.
    """
    if not answers.get("hardware"):
        return []
    hardware, memory = rules.hardware[answers["hardware"][0]], rules.memory[mode]
    scored = [_scored(rules, answers, hardware, memory, mode, state) for state in models if state.spec.parameters]
    fitting = sorted((pair for pair in scored if pair[1].fits), key=lambda pair: (-pair[0], pair[1].key))
    rest = sorted((pair for pair in scored if not pair[1].fits), key=lambda pair: pair[1].needs)
    return [fit for _, fit in [*fitting, *rest]][:MOST_SHOWN]


def _scored(rules: Rules, answers: Answers, hardware: Hardware, memory: Memory, mode: str, state: Any) -> tuple[float, ModelFit]:
    spec = state.spec
    needs = int((spec.memory_fp16 if memory.of == "fp16" else spec.memory_4bit) * memory.times) + memory.plus
    training = mode in ("lora", "qlora", "full")
    too_slow = training and hardware.train_parameters is not None and spec.parameters > hardware.train_parameters
    fits = needs <= hardware.bytes and not too_slow
    size, reasons = log10(spec.parameters), []
    score = -size if "smallest" in answers.get("limits", ()) else size
    if too_slow:
        reasons.append("training it without a graphics card would take days")
    elif not fits:
        reasons.append(f"needs about {needs / 1e9:.0f} GB, more than {hardware.name} has")
    else:
        reasons.append(f"needs about {needs / 1e9:.1f} GB of the {hardware.bytes / 1e9:.0f} GB there are")
    for use in rules.use_cases:
        small_enough = use.most_parameters is None or spec.parameters <= use.most_parameters
        if matches(use.when, answers) and spec.family.key in use.families and small_enough:
            score += use.weight
            reasons.append(use.reason)
        elif matches(use.when, answers) and use.most_parameters and not small_enough:
            score -= use.weight  # too large for where it has to run
    if spec.instruct:
        score += INSTRUCT
    else:
        reasons.append("answers only after fine-tuning")
    if state.here:
        score += HERE
        reasons.append("is on this machine already")
    fit = ModelFit(
        key=spec.key,
        name=spec.name,
        size=spec.size,
        licence=spec.licence,
        needs=needs,
        available=hardware.bytes,
        fits=fits,
        here=state.here,
        reasons=tuple(reasons),
        parameters=spec.parameters,
    )
    return score, fit
