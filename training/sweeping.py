"""Sweeps: the same training with several values, as a batch of runs."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q

from catalogue.selectors import base_model
from curation.chunks import chunks_ensure
from engine import registry
from projects import audit
from projects.models import Project, User
from runs.models import ENDED, PENDING, Artifact, Priority, Run, Status
from runs.services import run_stop
from training.comparing import last_training, made_by
from training.models import Pipeline, Sweep
from training.selectors import pipeline_runs
from training.services import PipelineError, Step, base_ensure, pipeline_launch
from training.steps import after_training
from training.varying import FEWEST_VALUES, MOST_RUNS, combinations, count, label_of, uncapital
from training.wiring import MERGE, takes

NAME = 120  # characters


def sweep_start(
    *,
    key: uuid.UUID,
    project: Project,
    by: User | None,
    base_key: str,
    varied: Sequence[tuple[str, Sequence[Any]]],
    steps: Sequence[Step],
    name: str = "",
    priority: int = Priority.LOW,
    **launch: Any,
) -> Sweep:
    """Launch ``steps`` once for every combination of the values of the settings ``varied`` (name, values) of the first step; the rest is as
    ``pipeline_launch`` takes it. All or nothing but the import of the base model.

    ``key`` is the sweep's id: asked for again with the same key, it is the sweep that is there. Raises ``PipelineError`` for too few or too
    many runs, and for what a stage or a pipeline refuses.
    """
    if not steps or not varied or any(len(values) < FEWEST_VALUES for _, values in varied):
        raise PipelineError("Name a setting and two values or more.")
    if (many := count([values for _, values in varied])) > MOST_RUNS:
        raise PipelineError(f"These make {many} runs; at most {MOST_RUNS} can be started together.")
    infos = [registry.get(step["stage"]) for step in steps]
    if any(takes(info, "chunks") for info in infos):
        chunks_ensure(project)  # before the transaction: it may copy many passages; each pipeline then finds them there
    base_ensure(base_key, by)  # as well: it may copy a gigabyte
    with transaction.atomic():
        state = base_model(base_key)
        name = name.strip() or f"{state.name if state else base_key}, sweep {Sweep.objects.filter(project=project).count() + 1}"
        settings = [{"name": setting, "values": list(values)} for setting, values in varied]
        fields = {"name": name[:NAME], "stage": infos[0].key, "varied": settings, "created_by": by}
        sweep, fresh = Sweep.objects.get_or_create(pk=key, project=project, defaults=fields)
        if not fresh:
            return sweep
        for place, chosen in enumerate(combinations(varied)):
            first: Step = {"stage": infos[0].key, "params": {**steps[0]["params"], **chosen}}
            label = label_of(infos[0], chosen)
            pipeline_launch(
                project=project,
                by=by,
                base_key=base_key,
                steps=[first, *steps[1:]],
                name=f"{name[: NAME - len(label) - 2]}, {uncapital(label)}",
                priority=priority,
                sweep=sweep,
                place=place,
                **launch,
            )
        after = {"stage": sweep.stage, "varied": settings, "runs": many, "priority": int(priority)}
        audit.record(project, by, "sweep.start", f"{sweep.name} {sweep.pk}", after=after)
    return sweep


def sweep_runs(sweep: Sweep) -> list[Run]:
    """All runs of its pipelines but what other projects share, such as the import of the base model."""
    return list(Run.objects.filter(pipelines__sweep=sweep, project=sweep.project_id).select_related("project").distinct())


def sweep_stop(*, sweep: Sweep, by: User | None) -> int:
    """Stop and keep all that remain. Returns how many had not ended."""
    remain = [run for run in sweep_runs(sweep) if run.status not in ENDED]
    for run in sorted(remain, key=lambda run: run.status not in PENDING):  # or one that waits would take a slot that becomes free
        run_stop(run=run, by=by)
    if remain:
        audit.record(sweep.project, by, "sweep.stop", f"{sweep.name} {sweep.pk}", after={"runs": len(remain)})
    return len(remain)


def steps_left(pipeline: Pipeline, model: Artifact) -> list[Step]:
    """What nobody has begun yet with the ``model`` that a sweep's ``pipeline`` made: evaluating it, where there are pairs to ask, and
    making a small file of it.
    """
    tried = Run.objects.filter(project=model.project_id).exclude(status__in=[Status.FAILED, Status.STOPPED, Status.LOST])
    of_it = Q(inputs__artifact=model)
    merges = tried.filter(of_it, stage=MERGE)
    of_merged = Q(inputs__from_run__in=merges) | Q(inputs__artifact__produced_by__in=merges)
    asked = {
        "evaluate": pipeline.dataset_id is not None and not tried.filter(of_it, stage="evaluate").exists(),
        "quantize": not tried.filter(of_it | of_merged, stage="quantize").exists(),
    }
    return [{"stage": stage, "params": {}} for stage in after_training(model.kind, **asked)]


@transaction.atomic
def sweep_go_on(*, sweep: Sweep, run: Run, by: User | None) -> Pipeline:
    """Launch what is left to do with what the pipeline of ``run`` in the sweep made. Raises ``PipelineError`` where it made nothing, or
    nothing is left.
    """
    Sweep.objects.select_for_update().get(pk=sweep.pk)  # two presses at once: the second finds what the first has begun
    pipeline = Pipeline.objects.filter(sweep=sweep, runs=run).select_related("dataset").first()
    last = last_training(pipeline_runs(pipeline)) if pipeline else None
    made = made_by([last]).get(last.pk) if last else None
    if pipeline is None or last is None or made is None:
        raise PipelineError("This run has made nothing to go on with.")
    steps = steps_left(pipeline, made)
    if not steps:
        raise PipelineError("All that can be done with it here has been begun already.")
    whole = made.kind == "hf-model"
    trained_on = last.inputs.get(role="model").artifact
    own = trained_on if trained_on and trained_on.project_id else None  # a model of the project's that an adapter needs below it
    return pipeline_launch(
        project=sweep.project,
        by=by,
        base_key=pipeline.base_key,
        dataset=pipeline.dataset,
        steps=steps,
        name=f"{pipeline.name[: NAME - 6]}, best",
        seed=run.seed,
        tuned=made if whole else own,
        adapter=None if whole else made,
    )
