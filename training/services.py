"""Launching a pipeline."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from django.db import transaction

from catalogue.selectors import base_model
from catalogue.services import CatalogueError, base_model_ensure
from engine import registry
from projects import audit
from projects.models import Project, User
from runs.models import Artifact, Run
from runs.services import RunError, run_create
from training.models import Pipeline, PipelineRun
from training.wiring import Bench, WiringError


class Step(TypedDict):
    """One step as asked for."""

    stage: str
    params: Mapping[str, Any]


class PipelineError(Exception):
    """The pipeline cannot start. ``fields`` maps "stage-parameter" to what is wrong with it."""

    def __init__(self, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


@transaction.atomic
def pipeline_launch(
    *,
    project: Project,
    by: User | None,
    base_key: str,
    dataset: Artifact,
    steps: Sequence[Step],
    name: str = "",
    seed: int = 0,
) -> Pipeline:
    """Create the runs of ``steps``, each taking what those before it make; import the base model first where that is
    needed.

    All or nothing. Raises ``PipelineError`` when a step is unknown, its parameters are wrong, or something it needs
    is not to be had.
    """
    if not steps:
        raise PipelineError("Choose at least one step.")
    try:
        base = base_model_ensure(key=base_key, by=by)
    except CatalogueError as error:
        raise PipelineError(str(error)) from error
    state = base_model(base_key)
    assert state is not None  # the call above would have refused
    name = name.strip()[:120] or f"{state.name}, training {Pipeline.objects.filter(project=project).count() + 1}"
    pipeline = Pipeline.objects.create(
        project=project,
        name=name,
        base_key=base_key,
        dataset=dataset,
        created_by=by,
        steps=[{**step, "params": dict(step["params"])} for step in steps],
    )
    bench = Bench(base=base, dataset=dataset)
    runs = [base] if isinstance(base, Run) else []
    runs += [_step_run(pipeline, step, bench, by, seed) for step in steps]
    PipelineRun.objects.bulk_create(PipelineRun(pipeline=pipeline, run=run, position=at) for at, run in enumerate(runs))
    stages = [step["stage"] for step in steps]
    audit.record(
        project,
        by,
        "pipeline.launch",
        f"{name} {pipeline.pk}",
        after={"base": base_key, "dataset": dataset.sha256, "stages": stages},
    )
    return pipeline


def _step_run(pipeline: Pipeline, step: Step, bench: Bench, by: User | None, seed: int) -> Run:
    try:
        info = registry.get(step["stage"])
        run = run_create(
            project=pipeline.project,
            stage=info.key,
            params=step["params"],
            inputs=bench.inputs(info),
            by=by,
            title=f"{info.title}: {pipeline.name}"[:200],
            seed=seed,
        )
    except (registry.RegistryError, WiringError) as error:
        raise PipelineError(str(error)) from error
    except RunError as error:
        raise PipelineError(str(error), {f"{step['stage']}-{field}": text for field, text in error.fields.items()}) from error
    bench.add(info, run)
    return run
