"""Trainings side by side: curves over one another, what was set differently, and what came of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from engine import registry
from projects.models import Project
from projects.registries import provided
from runs.charts import AXES, CHARTS, title_of
from runs.curves import CURVE_POINTS, Point, curves_of, lttb, reader
from runs.forms import settings_in_words
from runs.models import Artifact, MetricRollup, Run, RunInput
from training.selectors import dataset_label

FEWEST, MOST = 2, 20
USUAL = ("train_loss", "eval_loss", "general_loss")
# what curves are drawn over: name in the address → (title, metric that counts it, divisor)
OVER: dict[str, tuple[str, str, float]] = {
    "step": ("Step", "", 1),
    "tokens": (AXES["tokens_seen"], "tokens_seen", 1),
    "time": ("Minutes of training", "seconds_trained", 60),
}
MADE = ("adapter", "soft-prompt", "hf-model")  # kinds of what a training hands over
SCORES = (
    ("loss", "Loss on test pairs", False),
    ("token_f1", "Token F1", True),
    ("rouge_l", "ROUGE-L", True),
    ("general_loss", "Loss on general text", False),
)


def comparable(project: Project) -> QuerySet[Run]:
    """Trainings of any method that have drawn at least one point, newest first."""
    trainings = [info.key for info in registry.all_stages() if info.group == "train"]
    points = MetricRollup.objects.filter(run=OuterRef("pk"))
    return Run.objects.filter(Exists(points), project=project, stage__in=trainings).select_related("created_by", "project")


def run_names(runs: list[Run]) -> dict[Any, str]:
    """Short names that tell ``runs`` apart, for legends and columns: of a sweep's runs what was varied."""
    names = {run.pk: run.title.partition(": ")[2] or run.title for run in runs}
    parts = [name.split(", ") for name in names.values()]
    alike = len(list(takewhile(lambda column: len(set(column)) == 1, zip(*(part[:-1] for part in parts), strict=False))))
    names = {key: ", ".join(part[alike:]) for key, part in zip(names, parts, strict=True)}
    return {
        run.pk: name if list(names.values()).count(name) == 1 else f"{name} ({str(run.pk)[:4]})" for run in runs for name in [names[run.pk]]
    }


def comparison(runs: list[Run], names: dict[Any, str], *, metrics: list[str], over: str) -> dict[str, Any]:
    """What the page shows of ``runs``: charts of ``metrics`` (else the losses) over ``over``, settings, scores, choices.

    A metric is offered when two of the runs have it, something to draw over when all of them counted it.
    """
    have: dict[Any, set[str]] = {run.pk: set() for run in runs}
    for run, metric in MetricRollup.objects.filter(run__in=runs).order_by().values_list("run", "metric").distinct():
        have[run].add(metric)
    shared = shared_metrics(list(have.values()))
    axes = [key for key, (_, counted, _) in OVER.items() if not counted or all(counted in found for found in have.values())]
    over = over if over in axes else "step"
    drawn = [metric for metric in metrics if metric in shared] or [metric for metric in USUAL if metric in shared] or shared[:1]
    return {
        "charts": comparing_charts(runs, names, drawn, over),
        "metrics": [(metric, title_of(metric), metric in drawn) for metric in shared],
        "axes": [(key, OVER[key][0], key == over) for key in axes],
        "params": params_table(runs),
        "scores": scores_table(runs),
    }


def shared_metrics(have: list[set[str]]) -> list[str]:
    """Metrics of at least two runs, in the order of a run's page."""
    order = [metric for chart in CHARTS for metric in chart["metrics"]]
    found = {metric for metrics in have for metric in metrics if metric not in AXES and sum(metric in one for one in have) > 1}
    return sorted(found, key=lambda metric: (order.index(metric) if metric in order else len(order), metric))


def comparing_charts(
    runs: list[Run], names: dict[Any, str], metrics: list[str], over: str = "step", *, most: int = CURVE_POINTS
) -> list[dict[str, Any]]:
    """A chart a metric with a line a run, of at most ``most`` points."""
    title, counted, divisor = OVER[over]
    found = curves_of(runs, [*metrics, counted] if counted else metrics)
    charts = []
    for metric in metrics:
        chart: dict[str, Any] = next((one for one in CHARTS if metric in one["metrics"]), {})
        series = []
        for run in runs:
            if points := found[run.pk].get(metric):
                points = over_what(points, found[run.pk][counted], divisor) if counted else points
                points = lttb(points, most)
                series.append({"name": names[run.pk], "x": [x for x, _ in points], "y": [y for _, y in points]})
        axis: dict[str, Any] = {key: chart[key] for key in ("format", "min") if key in chart}
        spec = {"kind": "line", "x": {"title": title}, "y": {"title": "", **axis}, "series": series, "legend": True}
        charts.append({"id": f"compare-{metric.replace('_', '-')}", "title": title_of(metric), "sub": chart.get("sub", ""), "spec": spec})
    return charts


def over_what(points: list[Point], counted: list[Point], divisor: float) -> list[Point]:
    """``points`` by step, drawn over what ``counted`` has at those steps instead; before the first step nothing was counted."""
    at = reader([(0, 0.0), *counted] if counted[0][0] > 0 else counted)
    return [(at(step) / divisor, value) for step, value in points]


@dataclass(frozen=True)
class Cell:
    """A value as it is shown, and in full where that is more."""

    text: str
    full: str = ""
    best: bool = False


def cell_of(value: Any, *, best: bool = False) -> Cell:
    """Fractions with four significant digits; nothing as a dash."""
    if value is None:
        return Cell("–")
    full = str(value)
    try:
        text = full if re.fullmatch(r"[+-]?\d+", full) else f"{float(full):.4g}"
    except ValueError:
        return Cell(full, best=best)
    return Cell(text, "" if float(text) == float(full) else full, best)


def params_table(runs: list[Run]) -> list[dict[str, Any]]:
    """A row a setting, under the title that its form gives it; those that differ first, and of these the method and what went in."""
    columns = []
    went_in: dict[Any, dict[str, str]] = {run.pk: {} for run in runs}
    for given in RunInput.objects.filter(run__in=runs, artifact__isnull=False).select_related("artifact", "artifact__dataset_version"):
        went_in[given.run_id][given.role.capitalize()] = _named(given.artifact)
    for run in runs:
        info = registry.get(run.stage)
        columns.append({"Method": info.title, **went_in[run.pk], **dict(settings_in_words(info, run.params)), "Seed": str(run.seed)})
    first = ["Method", *sorted({name for given in went_in.values() for name in given})]
    others = sorted({name for column in columns for name in column} - {*first})
    rows = []
    for name in [*first, *others]:
        values = [column.get(name) for column in columns]
        rows.append({"name": name, "cells": [cell_of(value) for value in values], "differs": len(set(values)) > 1})
    return sorted(rows, key=lambda row: not row["differs"])


def _named(artifact: Artifact | None) -> str:
    assert artifact is not None
    if artifact.kind == "dataset":
        return dataset_label(artifact)
    return str(artifact.facts.get("name") or artifact)


def made_by(runs: list[Run]) -> dict[Any, Artifact]:
    """Run → the latest model, adapter or soft prompt that it made."""
    found = Artifact.objects.filter(produced_by__in=runs, kind__in=MADE, ready=True).order_by("attempt")
    return {one.produced_by_id: one for one in found}


def last_training(runs: Sequence[Run]) -> Run | None:
    """Of a pipeline's ``runs`` in their order, that which makes what the pipeline hands over: the last training that makes a model, an
    adapter or a soft prompt.
    """
    infos = [(run, registry.get(run.stage)) for run in runs]
    makes = [run for run, info in infos if info.group == "train" and any(kind.rstrip("?") in MADE for kind in info.produces.values())]
    return makes[-1] if makes else None


def scores_table(runs: list[Run], made: dict[Any, Artifact] | None = None) -> list[dict[str, Any]]:
    """The evaluation's figures of what each run made; the best of each row is marked. ``made``: run → that, else what ``made_by`` finds."""
    made = made_by(runs) if made is None else made
    scores: dict[Any, dict[str, Any]] = {}
    for answer in provided("scores", list(made.values())):
        scores |= answer
    rows = []
    for key, title, higher in SCORES:
        values = [scores.get(made[run.pk].pk, {}).get(key) if run.pk in made else None for run in runs]
        known = [value for value in values if value is not None]
        if known:
            best = (max if higher else min)(known) if len(set(known)) > 1 else None
            cells = [cell_of(value, best=value is not None and value == best) for value in values]
            rows.append({"key": key, "name": title, "cells": cells})
    return rows
