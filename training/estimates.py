"""How long a training will take here and what it needs, in words for the forms. The arithmetic is ``engine.estimate``'s."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from engine import probes, registry
from engine.estimate import Needs, Work, place_seconds, speed, trained_parameters, training
from runs.models import MetricPoint, Run, Status
from training.methods import DEFAULT, Method, entries
from training.preflight import Shape

RESULT_BYTES = 4  # a trained weight, as it is handed over at most
STEPS_THAT_TELL = 50  # of the last training: its speed has settled long before


@dataclass(frozen=True)
class Estimate(Needs):
    """``basis``: what the time rests on, in words. ``result``: the bytes of what is kept when it has ended."""

    basis: str
    result: int = 0

    @property
    def fits(self) -> bool:
        """On the largest GPU where there is one, else in this machine's memory."""
        gpus = [gpu["memory_bytes"] for gpu in probes.gpus()]
        return bool(self.memory <= (max(gpus) if gpus else probes.memory()["total"]))


def estimate(
    *, shape: Shape, parameters: int, params: Mapping[str, object], base_key: str = "", stage: str = DEFAULT, teacher: int = 0
) -> Estimate:
    """For a method's ``stage`` with ``params`` on this machine; what they leave out, or is None, is the stage's default. ``teacher``: the
    parameters of one.
    """
    return estimates(shape=shape, parameters=parameters, many=[params], base_key=base_key, stage=stage, teacher=teacher)[0]


def estimates(
    *,
    shape: Shape,
    parameters: int,
    many: Sequence[Mapping[str, object]],
    base_key: str = "",
    stage: str = DEFAULT,
    teacher: int = 0,
) -> list[Estimate]:
    """As ``estimate``, for each of ``many`` parameters. Two queries however many."""
    cores, gpus = probes.cores(), len(probes.gpus())
    able = probes.compute_capability() >= probes.AMPERE if gpus else probes.cpu_has_bf16()
    if entries()[stage].takes("reward"):
        teacher = parameters  # the judge is a second model of the same base
    measured = measured_speed(base_key, stage) if base_key else None
    basis = "the last training of this model here" if measured else "arithmetic; the first training here will make it exact"
    found = []
    for params in many:
        given: dict[str, Any] = {name: value for name, value in params.items() if value is not None}
        settings: Any = registry.get(stage).params.model_construct(**given)  # not validated: a form may be half filled in
        work = work_of(entries()[stage], settings, teacher)
        chosen = getattr(settings, "precision", "auto")
        bf16 = able if chosen == "auto" else chosen == "bf16"
        at_once = settings.batch_size * work.answers
        needs = training(
            settings,
            parameters=parameters,
            pairs=shape.train,
            validation=shape.validation,
            tokens=shape.tokens,
            longest=shape.longest,
            tokens_per_second=measured
            or speed(parameters, cores=cores, gpus=gpus, bf16=bf16, recomputing=settings.gradient_checkpointing, work=work),
            seconds_a_place=0 if measured else place_seconds(parameters, at_once, cores=cores, gpus=gpus, bf16=bf16),
            bf16=bf16,
            work=work,
        )
        result = RESULT_BYTES * trained_parameters(settings, parameters, work)
        found.append(Estimate(**vars(needs), basis=basis, result=result))
    return found


def work_of(method: Method, settings: Any, teacher: int = 0) -> Work:
    """What ``method`` does to a token; a stage that lets people choose how many bits, or answers, says so in ``settings``."""
    chosen = re.search(r"\d+", str(getattr(settings, "bits", "")))  # "nf4", "int8"
    return Work(
        everything=method.makes == "hf-model",
        bits=int(chosen[0]) if chosen else method.bits or 16,
        answers=getattr(settings, "generations", method.answers),
        reference=method.reference,
        teacher=teacher,
    )


def measured_speed(base_key: str, stage: str = DEFAULT) -> float | None:
    """All tokens a second of the last finished training on this base model by this method, or None."""
    run = Run.objects.filter(pipelines__base_key=base_key, stage=stage, status=Status.SUCCEEDED).order_by("-ended_at").first()
    if run is None:
        return None
    speeds = MetricPoint.objects.filter(run=run, metric="all_tokens_per_second").values_list("value", flat=True)[:STEPS_THAT_TELL]
    return median(speeds) if speeds else None
