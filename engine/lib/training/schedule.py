"""The learning rate over the steps."""

import math

from engine.lib.training.settings import LoopParams


def learning_rate(step: int, total: int, params: LoopParams) -> float:
    """The rate of the step after ``step`` finished ones of ``total``: a straight rise, then the schedule."""
    warmup = math.ceil(total * params.warmup_ratio)
    if step < warmup:
        return params.learning_rate * (step + 1) / warmup
    gone = (step - warmup) / max(total - warmup, 1)
    share = {"linear": 1 - gone, "cosine": (1 + math.cos(math.pi * gone)) / 2, "constant": 1.0}[params.schedule]
    return params.learning_rate * share
