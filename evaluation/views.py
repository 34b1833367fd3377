"""Pages of reports."""

import json

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.text import slugify

from engine import registry
from evaluation.figures import Row, general_sample, rows
from evaluation.models import Report
from evaluation.samples import arrange, read_samples
from evaluation.selectors import report_charts, reports_of
from evaluation.verdicts import uninformative, verdicts
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from projects.spreadsheets import csv_download
from runs.artifacts import artifact_path

ROWS = 20
ANSWERS = 10


def report_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    text, sort = request.GET.get("q", "").strip(), request.GET.get("sort", "") or "-created"
    page = Paginator(reports_of(project, text=text, sort=sort), ROWS).get_page(request.GET.get("page"))
    return project_page(request, "evaluation/list.html", project, "evaluate", {"page": page, "filtered": bool(text)})


def _report(project: Project, report_id: object) -> Report:
    reports = Report.objects.select_related("artifact__produced_by", "model", "adapter")
    return get_object_or_404(reports, project=project, pk=report_id)


def report(request: HttpRequest, slug: str, report_id: object) -> HttpResponse:
    """Verdicts, figures with their intervals, charts, and the answers, worst first."""
    project = project_for(request.user, slug)
    found = _report(project, report_id)
    found.project = project
    figures, samples = rows(found.figures), read_samples(artifact_path(found.artifact))
    shown = arrange(samples, text=request.GET.get("q", ""), sort=request.GET.get("sort", "") or "f1")
    settings = found.figures.get("settings") or {}
    titles = {name: spec.get("title", name) for name, spec in registry.get("evaluate").schema()["properties"].items()}
    context = {
        "report": found,
        "tuned": bool(found.figures.get("tuned")),
        "verdicts": verdicts(found.figures),
        "tiles": tiles(figures),
        "rows": figures.values(),
        "mmlu_uninformative": uninformative(found.figures),
        "charts": report_charts(figures, samples),
        "page": Paginator(shown, ANSWERS).get_page(request.GET.get("page")),
        "samples_kept": bool(samples),
        "settings": [(titles.get(key, key.capitalize()), value) for key, value in settings.items()],
        "general_sample": general_sample(found.figures),
        "versions": found.figures.get("versions") or {},
    }
    return project_page(request, "evaluation/report.html", project, "evaluate", context)


def tiles(figures: dict[str, Row]) -> list[dict[str, object]]:
    """The four figures people ask for first: the tuned model's value, and under it what it gained."""
    found: list[dict[str, object]] = []
    for key in ("loss", "token_f1", "rouge_l", "general_loss"):
        row = figures.get(key)
        measured = row and (row.tuned or row.base)
        if not row or not measured:
            continue
        note, tone = "", ""
        if row.tuned and row.base:
            note = f"base model {row.base.value:.3g}"
            tone = "good" if row.better else "bad" if row.better is False else ""
        found.append({"label": row.title, "value": round(measured.value, 3), "note": note, "tone": tone})
    return found


def report_file(request: HttpRequest, slug: str, report_id: object) -> HttpResponse:
    """report.json as it was made."""
    found = _report(project_for(request.user, slug), report_id)
    response = HttpResponse(json.dumps(found.figures, indent=1, ensure_ascii=False), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="report-{slugify(found.title) or found.pk}.json"'
    return response


COLUMNS = (
    "number",
    "question",
    "reference",
    "base_answer",
    "tuned_answer",
    "base_loss",
    "tuned_loss",
    "base_f1",
    "tuned_f1",
)


def answers_file(request: HttpRequest, slug: str, report_id: object) -> HttpResponseBase:
    """The answers that the table shows now, as CSV."""
    found = _report(project_for(request.user, slug), report_id)
    samples = arrange(
        read_samples(artifact_path(found.artifact)),
        text=request.GET.get("q", ""),
        sort=request.GET.get("sort", "") or "f1",
    )
    rows = ([getattr(sample, name) for name in COLUMNS] for sample in samples)
    return csv_download(f"answers-{slugify(found.title) or found.pk}", COLUMNS, rows)
