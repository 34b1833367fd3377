"""What pages read of reports."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet

from evaluation.figures import Row, rows
from evaluation.models import Report
from evaluation.samples import Sample
from projects.models import Project
from runs.models import Artifact

SORTS = {
    "created": "created_at",
    "title": "title",
    "pairs": "pairs",
    "loss": "tuned_loss",
    "f1": "tuned_token_f1",
    "general": "tuned_general_loss",
}


def reports_of(project: Project, *, text: str = "", sort: str = "-created") -> QuerySet[Report]:
    """The project's reports, newest first unless sorted otherwise."""
    found = Report.objects.filter(project=project).select_related("project", "artifact__produced_by", "adapter", "model")
    if text:
        found = found.filter(Q(title__icontains=text))
    column = SORTS.get(sort.removeprefix("-"), "created_at")
    return found.order_by(("-" if sort.startswith("-") else "") + column, "-created_at")


def scores_of(artifacts: Iterable[Artifact]) -> dict[Any, dict[str, Any]]:
    """Artifact id → its latest report's figures: ``{"loss", "token_f1", …, "base_loss", …, "pairs", "url"}``. One
    query.
    """
    keys = [artifact.pk for artifact in artifacts]
    found: dict[Any, dict[str, Any]] = {}
    reports = Report.objects.filter(Q(adapter__in=keys) | Q(model__in=keys)).select_related("project").order_by("created_at")
    for report in reports:
        figures = rows(report.figures)
        about = {"pairs": report.pairs, "url": report.get_absolute_url()}
        base = {key: row.base.value for key, row in figures.items() if row.base}
        if report.model_id in keys:  # a base model is measured beside every model tuned from it
            found[report.model_id] = {**base, **about}
        if report.adapter_id in keys:
            tuned = {key: row.tuned.value for key, row in figures.items() if row.tuned}
            against = {f"base_{key}": value for key, value in base.items()}
            found[report.adapter_id] = {**against, **tuned, **about, "loss_change": report.loss_change}
    return found


def report_charts(found: dict[str, Row], samples: list[Sample]) -> list[dict[str, Any]]:
    """Charts for the chart component: answers, losses, and each test pair by itself."""
    charts = []
    for chart_id, title, sub, keys in (
        ("quality", "Its own answers", "0 to 1, higher is better", ("token_f1", "rouge_l", "mmlu")),
        ("losses", "Loss", "per token, lower is better", ("loss", "general_loss")),
    ):
        shown = [found[key] for key in keys if key in found]
        series = []
        for side, name in (("base", "Base model"), ("tuned", "Tuned model")):
            measured = [(row.title, getattr(row, side).value) for row in shown if getattr(row, side)]
            if measured:
                series.append({"name": name, "x": [title for title, _ in measured], "y": [value for _, value in measured]})
        if series:
            charts.append(
                {
                    "id": chart_id,
                    "title": title,
                    "sub": sub,
                    "spec": {"kind": "bar", "x": {"title": ""}, "y": {"title": ""}, "series": series},
                }
            )
    both = [one for one in samples if one.base_loss is not None and one.tuned_loss is not None]
    if both:
        lowest = min(min(one.base_loss or 0.0, one.tuned_loss or 0.0) for one in both)
        highest = max(max(one.base_loss or 0.0, one.tuned_loss or 0.0) for one in both)
        spec = {
            "kind": "scatter",
            "x": {"title": "Loss of the base model"},
            "y": {"title": "Loss of the tuned model"},
            "series": [
                {"name": "Test pairs", "x": [one.base_loss for one in both], "y": [one.tuned_loss for one in both]},
                {"name": "No change", "x": [lowest, highest], "y": [lowest, highest], "line": True},
            ],
        }
        charts.append({"id": "each-pair", "title": "Each test pair", "sub": "below the line, training helped", "spec": spec})
    return charts
