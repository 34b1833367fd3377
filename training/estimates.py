"""How long a training will take here and what it needs, in words for the forms. The arithmetic is ``engine.estimate``'s."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from engine import probes, registry
from engine.estimate import Needs, sft, speed
from runs.models import MetricPoint, Run, Status
from training.preflight import Shape

STEPS_THAT_TELL = 50  # of the last training: its speed has settled long before


@dataclass(frozen=True)
class Estimate(Needs):
    """``basis``: what the time rests on, in words."""

    basis: str

    @property
    def fits(self) -> bool:
        """On the largest GPU where there is one, else in this machine's memory."""
        gpus = [gpu["memory_bytes"] for gpu in probes.gpus()]
        return bool(self.memory <= (max(gpus) if gpus else probes.memory()["total"]))


def estimate(*, shape: Shape, parameters: int, params: Mapping[str, object], base_key: str = "") -> Estimate:
    """For the ``sft`` stage with ``params`` on this machine; what they leave out, or is None, is the stage's default."""
    given = {name: value for name, value in params.items() if value is not None}
    settings: Any = registry.get("sft").params.model_construct(**given)  # not validated: a form may be half filled in
    gpus = len(probes.gpus())
    bf16 = bool(gpus) or probes.cpu_has_bf16()
    measured = measured_speed(base_key) if base_key else None
    needs = sft(
        settings,
        parameters=parameters,
        pairs=shape.train,
        validation=shape.validation,
        tokens=shape.tokens,
        longest=shape.longest,
        tokens_per_second=measured
        or speed(parameters, cores=probes.cores(), gpus=gpus, bf16=bf16, recomputing=settings.gradient_checkpointing),
        bf16=bf16,
    )
    basis = "the last training of this model here" if measured else "arithmetic; the first training here will make it exact"
    return Estimate(**vars(needs), basis=basis)


def measured_speed(base_key: str) -> float | None:
    """All tokens a second of the last finished training on this base model, or None."""
    run = Run.objects.filter(pipelines__base_key=base_key, stage="sft", status=Status.SUCCEEDED).order_by("-ended_at").first()
    if run is None:
        return None
    speeds = MetricPoint.objects.filter(run=run, metric="all_tokens_per_second").values_list("value", flat=True)[:STEPS_THAT_TELL]
    return median(speeds) if speeds else None
