"""What pages read of pipelines and of runs to compare."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from engine import registry
from projects.models import Project
from projects.registries import provided
from runs.models import ACTIVE, Artifact, MetricPoint, Run, Status
from runs.selectors import curves
from training.models import Pipeline, PipelineRun

FEWEST, MOST = 2, 5


def datasets_of(project: Project) -> list[Artifact]:
    """The project's dataset versions that can be trained on, newest first."""
    return list(
        Artifact.objects.filter(project=project, kind="dataset", ready=True).select_related("dataset_version").order_by("-created_at")
    )


def dataset_label(dataset: Artifact) -> str:
    """ "Version 3, 312 pairs" as far as its facts say."""
    facts = dataset.facts
    if version := getattr(dataset, "dataset_version", None):
        count = version.counts.get("train") if isinstance(version.counts, dict) else None
        return f"{version}, {count:,} training pairs" if isinstance(count, int) else str(version)
    name = facts.get("name") or (f"Version {facts['version']}" if facts.get("version") else f"Dataset {str(dataset.pk)[:8]}")
    count = facts.get("train")
    count = count.get("rows") if isinstance(count, dict) else count
    return f"{name}, {count:,} training pairs" if isinstance(count, int) else f"{name}, {dataset.created_at:%-d %b %Y}"


def pipeline_of(run: Run) -> Pipeline | None:
    """The latest pipeline that ``run`` is a step of."""
    return Pipeline.objects.filter(runs=run, project=run.project).order_by("-created_at").first()


def step_state(status: str) -> str:
    """The stepper's word for a run's status."""
    if status == Status.SUCCEEDED:
        return "done"
    if status in ACTIVE:
        return "current"
    return "failed" if status in (Status.FAILED, Status.LOST, Status.STOPPED) else "ahead"


def pipeline_runs(pipeline: Pipeline) -> list[Run]:
    steps = PipelineRun.objects.filter(pipeline=pipeline).select_related("run", "run__project").order_by("position")
    return [step.run for step in steps]


def comparable(project: Project) -> QuerySet[Run]:
    """Training runs that have drawn at least one point, newest first."""
    points = MetricPoint.objects.filter(run=OuterRef("pk"), metric="train_loss")
    return Run.objects.filter(Exists(points), project=project).select_related("created_by")


LABELS = {"train_loss": "Training loss", "eval_loss": "Validation loss"}


def comparison(runs: list[Run], names: dict[Any, str]) -> dict[str, Any]:
    """Charts with a line a run, parameters side by side (those that differ first), and scores."""
    drawn = {run.pk: curves(run) for run in runs}
    charts = []
    for metric, title in LABELS.items():
        series = [
            {"name": names[run.pk], "x": [x for x, _ in points], "y": [y for _, y in points]}
            for run in runs
            if (points := drawn[run.pk].get(metric))
        ]
        if series:
            spec = {"kind": "line", "x": {"title": "Step"}, "y": {"title": "Loss a token"}, "series": series}
            charts.append({"id": metric.replace("_", "-"), "title": title, "sub": "lower is better", "spec": spec})
    return {"charts": charts, "params": params_table(runs), "scores": scores_table(runs)}


def params_table(runs: list[Run]) -> list[dict[str, Any]]:
    """A row a parameter, under the title that its form gives it."""
    titles: dict[str, str] = {}
    for stage in {run.stage for run in runs}:
        titles |= {name: spec.get("title", name) for name, spec in registry.get(stage).schema()["properties"].items()}
    rows = []
    for name in sorted({name for run in runs for name in run.params}, key=lambda name: titles.get(name, name)):
        values = [run.params.get(name) for run in runs]
        rows.append({"name": titles.get(name, name), "values": values, "differs": len(set(map(str, values))) > 1})
    return sorted(rows, key=lambda row: not row["differs"])


def scores_table(runs: list[Run]) -> list[dict[str, Any]]:
    """The evaluation's figures of what each run made; the best of each row is marked."""
    made = Artifact.objects.filter(produced_by__in=runs, kind="adapter", ready=True).order_by("attempt")
    adapters = {artifact.produced_by_id: artifact for artifact in made}
    scores: dict[Any, dict[str, Any]] = {}
    for answer in provided("scores", list(adapters.values())):
        scores |= answer
    rows = []
    for key, title, higher in (
        ("loss", "Loss on test pairs", False),
        ("token_f1", "Token F1", True),
        ("rouge_l", "ROUGE-L", True),
        ("general_loss", "Loss on general text", False),
    ):
        values = [scores.get(adapters[run.pk].pk, {}).get(key) if run.pk in adapters else None for run in runs]
        known = [value for value in values if value is not None]
        if known:
            best = (max if higher else min)(known) if len(set(known)) > 1 else None
            rows.append(
                {
                    "name": title,
                    "cells": [{"value": value, "best": value is not None and value == best} for value in values],
                }
            )
    return rows
