"""The steps of a pipeline from what was chosen: methods one after another, and what comes afterwards."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from training.methods import Method, afterwards
from training.wiring import BESIDE, MERGE, takes


class Step(TypedDict):
    """One step as asked for."""

    stage: str
    params: Mapping[str, Any]


def stages_of(chain: Sequence[Method], *, evaluate: bool, quantize: bool) -> list[str]:
    """The stages in the order in which they run.

    An adapter is merged before a method that cannot go on from it. Of what comes afterwards only that is run which the last method's kind
    allows.
    """
    stages: list[str] = []
    beside = ""  # the kind of what was trained beside the model, until it is merged
    for method in chain:
        if beside and not takes(method.info, beside):
            stages.append(MERGE)
            beside = ""
        stages.append(method.key)
        if method.makes in BESIDE:
            beside = method.makes
        elif method.makes == "hf-model":
            beside = ""
    kind = beside or ("hf-model" if chain[-1].makes in BESIDE else chain[-1].makes)
    return stages + after_training(kind, evaluate=evaluate, quantize=quantize)


def after_training(kind: str, *, evaluate: bool, quantize: bool) -> list[str]:
    """The stages that come after a training has made a ``kind``, as far as it allows them."""
    allowed = afterwards(kind)
    stages = ["evaluate"] if evaluate and "evaluate" in allowed else []
    if quantize and "quantize" in allowed:
        stages += [MERGE, "quantize"] if kind in BESIDE else ["quantize"]
    return stages
