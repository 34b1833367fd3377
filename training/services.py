"""Launching a pipeline."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from catalogue.selectors import base_model
from catalogue.services import CatalogueError, base_model_ensure
from catalogue.writers import writer_find
from curation.chunks import chunks_ensure
from curation.services.generating import asked_of, note_sending
from engine import registry
from projects import audit
from projects.models import Project, User
from runs.models import Artifact, Priority, Run
from runs.services import RunError, run_create
from training.models import Pipeline, PipelineRun, Sweep
from training.steps import Step
from training.wiring import Bench, WiringError, takes

__all__ = ["PipelineError", "Step", "pipeline_launch"]


class PipelineError(Exception):
    """The pipeline cannot start. ``fields`` maps "stage-parameter" to what is wrong with it."""

    def __init__(self, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


def pipeline_launch(
    *,
    project: Project,
    by: User | None,
    base_key: str,
    dataset: Artifact | None,
    steps: Sequence[Step],
    name: str = "",
    seed: int = 0,
    priority: int = Priority.NORMAL,
    teacher: Artifact | None = None,
    adapter: Artifact | None = None,
    tuned: Artifact | None = None,
    reward: Artifact | None = None,
    writer: str = "",
    sweep: Sweep | None = None,
    place: int = 0,
) -> Pipeline:
    """Create the runs of ``steps``, each taking what those before it make; import the base model first where that is
    needed.

    ``adapter``: one on the same base model that the first step goes on from; ``tuned``: a whole model made from the base, in its place.
    ``reward``: a reward model on the same base model. ``writer``: the key of a model (``catalogue.writers``) that steps ask which need one
    to write. A step that reads documents gets those of the project as they are now. ``sweep``: what it is one combination of, the
    ``place``-th.

    All or nothing but the import. Raises ``PipelineError`` when a step is unknown, its parameters are wrong, or something it needs
    is not to be had.
    """
    if not steps:
        raise PipelineError("Choose at least one step.")
    try:
        infos = [registry.get(step["stage"]) for step in steps]
    except registry.RegistryError as error:
        raise PipelineError(str(error)) from error
    # before the transaction: it may copy many passages, and SQLite's one writer must not wait for that
    documents = chunks_ensure(project) if any(takes(info, "chunks") for info in infos) else None
    base = base_ensure(base_key, by)  # as well: it may copy a gigabyte
    with transaction.atomic():
        state = base_model(base_key)
        assert state is not None  # the call above would have refused
        name = name.strip()[:120] or f"{state.name}, training {Pipeline.objects.filter(project=project).count() + 1}"
        pipeline = Pipeline.objects.create(
            project=project,
            name=name,
            base_key=base_key,
            dataset=dataset,
            created_by=by,
            sweep=sweep,
            place=place,
            steps=[{**step, "params": dict(step["params"])} for step in steps],
        )
        bench = Bench(base=base, dataset=dataset, documents=documents, teacher=teacher, adapter=adapter, tuned=tuned, reward=reward)
        runs = [base] if isinstance(base, Run) else []
        runs += [_step_run(pipeline, step, bench, by, writer, seed=seed, priority=priority) for step in steps]
        PipelineRun.objects.bulk_create(PipelineRun(pipeline=pipeline, run=run, position=at) for at, run in enumerate(runs))
        after = {"base": base_key, "dataset": dataset.sha256 if dataset else "", "stages": [step["stage"] for step in steps]}
        audit.record(project, by, "pipeline.launch", f"{name} {pipeline.pk}", after=after)
    return pipeline


def base_ensure(base_key: str, by: User | None) -> Artifact | Run:
    """The base model, or the run that is importing it. Raises ``PipelineError``."""
    try:
        return base_model_ensure(key=base_key, by=by)
    except CatalogueError as error:
        raise PipelineError(str(error)) from error


def _step_run(pipeline: Pipeline, step: Step, bench: Bench, by: User | None, writer: str, *, seed: int, priority: int) -> Run:
    info = registry.get(step["stage"])
    params: dict[str, Any] = dict(step["params"])
    asked = writer_find(pipeline.project, writer) if "chat" in info.endpoints and writer else None
    if "chat" in info.endpoints and writer and asked is None:
        raise PipelineError("The teacher is not there any more. Choose another.", {"writer": "Choose a model."})
    if asked:
        params |= asked_of(asked)
    try:
        run = run_create(
            project=pipeline.project,
            stage=info.key,
            params=params,
            inputs=bench.inputs(info),
            by=by,
            title=f"{info.title}: {pipeline.name}"[:200],
            seed=seed,
            priority=priority,
        )
    except WiringError as error:
        raise PipelineError(str(error)) from error
    except RunError as error:
        raise PipelineError(str(error), {f"{step['stage']}-{field}": text for field, text in error.fields.items()}) from error
    if asked and by:
        note_sending(run, asked, by)
    bench.add(info, run)
    return run
