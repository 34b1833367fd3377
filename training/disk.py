"""What a run will need on the disk, told to who looks whether there is room before it begins."""

from typing import Any

from engine import registry
from engine.estimate import disk_bytes, trained_parameters
from projects.registries import provides
from runs.models import Artifact, Run
from training.estimates import work_of
from training.methods import entries

MODELS = {"hf-model", "gguf-model"}
BYTES_A_PARAMETER = 2  # of a model in 16 bit, as base models are kept


@provides("disk_needed")
def disk_needed(run: Run) -> int | None:
    """In bytes, by ``engine.estimate``; None for what is neither a training nor makes a model of one."""
    given = run.inputs.filter(role="model", artifact__isnull=False).select_related("artifact").first()
    if given is None or given.artifact is None:
        return None
    parameters, info = parameters_of(given.artifact), registry.get(run.stage)
    if method := entries().get(run.stage):
        settings: Any = info.params.model_construct(**run.params)
        return disk_bytes(parameters, trained_parameters(settings, parameters, work_of(method, settings)))
    return disk_bytes(parameters) if MODELS & set(info.produces.values()) else None


def parameters_of(model: Artifact) -> int:
    """As the model's facts say, or by its size."""
    return int(model.facts.get("parameters") or model.bytes // BYTES_A_PARAMETER)
