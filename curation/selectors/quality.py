"""What pages read of the quality gate: its last report, what is behind each number, the map, and whether it is out of date."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse

from curation.filters import filter_read, filter_text, pairs_matching
from curation.models import Finding, Pair, PairChange, QualityReport
from curation.paging import KeyedPaginator
from curation.selecting import APPROVED
from curation.selectors.filters import filter_words
from projects.models import Project
from retrieval.models import Chunk, chunk_id
from runs.artifacts import artifact_path
from runs.models import Run, RunInput

STAGE = "check_pairs"
KEPT: dict[str, Any] = {"all": [{"not": {"field": "status", "op": "is", "value": "REJECTED"}}]}
GROUPS = {
    "duplicates": "Duplicates",
    "leakage": "Leakage",
    "format": "Format",
    "accuracy": "Accuracy",
    "recency": "Recency",
    "safety": "Personal data and language",
    "coverage": "Coverage and balance",
    "diversity": "Variety",
}
MOST_SERIES = 7  # colours that can be told apart
LINKED = {"generate": "curation:pairs_generate", "augment": "curation:pairs_augment"}  # remedies that are a page, not a press
STATUS = {"pass": "PASSED", "warn": "WARNING", "fail": "BLOCKED"}
ON_PAGE = 25
SHOWN = 90  # characters of a point on the map


def reports_of(project: Project) -> QuerySet[QualityReport]:
    """Whole ones, newest first."""
    return QualityReport.objects.filter(project=project, artifact__ready=True).select_related("artifact", "created_by")


def last_run(project: Project) -> Run | None:
    return Run.objects.filter(project=project, stage=STAGE).order_by("-created_at").first()


def is_outdated(report: QualityReport) -> bool:
    """Whether pairs came, went or changed since it looked at them. Three small queries; exact as to changes, not as to undone ones."""
    given = RunInput.objects.filter(run=report.artifact.produced_by_id, role="pairs").values_list("artifact__created_at", flat=True).first()
    since = given or report.created_at  # changes while it looked count
    newest = PairChange.objects.filter(pair__project=report.project_id).order_by("-pk").values_list("at", flat=True).first()
    if newest is not None and newest > since:
        return True
    return pairs_matching(report.project, report.tree or APPROVED).count() != report.pairs


def checks_by_group(report: QualityReport, *, newest: bool) -> list[dict[str, Any]]:
    """The report's checks as the page shows them, in groups. Of the ``newest`` report, pairs found can be augmented as they are."""
    rows = [_shown(report, check, newest) for check in report.report["checks"]]
    return [
        {"title": GROUPS.get(key, key.capitalize()), "checks": list(checks)} for key, checks in groupby(rows, key=lambda row: row["group"])
    ]


def _shown(report: QualityReport, check: dict[str, Any], newest: bool = False) -> dict[str, Any]:
    slug, remedy = report.project.slug, check.get("remedy") or {}
    action = remedy.get("action", "")
    return {
        **check,
        "group": check.get("group", ""),
        "status": STATUS[check["verdict"]] if check["number"] is not None else "EMPTY",
        "value": number_words(check["number"], check["unit"]),
        "limit": limit_words(check),
        "findings_url": reverse("curation:quality_findings", args=[slug, report.pk, check["key"]]) if check["rows"] else "",
        "action": action if action not in LINKED and check["rows"] else "",
        "label": remedy.get("label", ""),
        "href": _page_that_mends(report.project, action, check, newest) if action in LINKED and check["verdict"] != "pass" else "",
    }


def _page_that_mends(project: Project, action: str, check: dict[str, Any], newest: bool) -> str:
    """Further pairs are made from those found; what has no pairs yet is generated from all documents."""
    page = reverse(LINKED[action], args=[project.slug])
    return f"{page}?{_found_by(check['key'])}" if action == "augment" and newest and check["rows"] else page


def check_of(report: QualityReport, key: str) -> dict[str, Any] | None:
    return next((_shown(report, check) for check in report.report["checks"] if check["key"] == key), None)


def tally(report: QualityReport) -> dict[str, int]:
    """Verdict → number of checks; "open" are those that had nothing to judge."""
    found = [check["verdict"] if check["number"] is not None else "open" for check in report.report["checks"]]
    return {verdict: found.count(verdict) for verdict in (*STATUS, "open")}


def pairs_words(report: QualityReport) -> str:
    """Which pairs it looked at: "Status is Approved"."""
    return filter_words(report.project, report.tree) if report.tree else ""


def number_words(number: float | None, unit: str) -> str:
    if number is None:
        return "–"
    said = f"{number:,.0f}" if number == int(number) else f"{number:,.1f}" if number >= 1 else f"{number:.2f}"
    return f"{said}%" if unit == "%" else said


def limit_words(check: dict[str, Any]) -> str:
    """ "at most 1%, fails above 5%"."""
    limits, unit = check["threshold"], check["unit"]
    most = limits["bound"] == "most"
    if check["verdict"] == "pass" and check["number"] is None:
        return "not judged"
    warn = number_words(round(limits["warn"] + (0.01 if limits["warn"] == 99.99 else 0), 2), unit)
    said = f"{'at most' if most else 'at least'} {warn}"
    if limits["fail"] is not None and limits["fail"] != limits["warn"]:
        said += f", fails {'above' if most else 'below'} {number_words(limits['fail'], unit)}"
    return said


def findings_page(report: QualityReport, check: str, number: Any) -> Any:
    """A page of what a check found, with the pair and, where there is one, the pair it is the like of."""
    found = report.findings.filter(check_key=check).order_by("pk")
    page = KeyedPaginator(found, Finding.objects.select_related("pair"), ON_PAGE).get_page(number)
    others = Pair.objects.only("question", "status").in_bulk({one.other for one in page if one.other})
    for one in page:
        one.other_pair = others.get(one.other)
    return page


def table_url(project: Project, check: str) -> str:
    """The table of pairs with what a check of the last report found."""
    return f"{reverse('curation:pairs', args=[project.slug])}?{_found_by(check)}"


def _found_by(check: str) -> str:
    """For an address: the pairs that a check of the last report found."""
    tree = filter_read({"all": [{"field": "finding", "op": "is", "value": check}]})
    return urlencode({"f": filter_text(tree)})


def map_chart(report: QualityReport) -> dict[str, Any] | None:
    """Pairs, and passages without any, as points, those that say like things near each other; None where the report has no map."""
    path = artifact_path(report.artifact) / "map.json"
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {"points": []}
    if not found["points"]:
        return None
    names = {cluster["id"]: ", ".join(cluster["words"][:3]) or f"Topic {cluster['id'] + 1}" for cluster in found["clusters"]}
    questions = _questions([point["pair"] for point in found["points"]])
    series = []
    for cluster in found["clusters"][:MOST_SERIES]:
        points = [point for point in found["points"] if point["cluster"] == cluster["id"]]
        if points:
            series.append(_series(names[cluster["id"]], points, questions))
    rest = [point for point in found["points"] if point["cluster"] in {cluster["id"] for cluster in found["clusters"][MOST_SERIES:]}]
    if rest:
        series.append(_series("Other topics", rest, questions))
    if found.get("passages"):
        series.append(_passages(found["passages"]))
    axis = {"title": "", "hidden": True}  # only who is near whom means something
    return {"kind": "scatter", "labels": False, "x": axis, "y": axis, "series": series}


def _passages(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Where documents say what no pair is about."""
    ids = [chunk_id(UUID(point["version"]), point["ordinal"]) for point in points]
    texts = {pk: shortened(" ".join(text.split())) for pk, text in Chunk.objects.filter(pk__in=ids).values_list("pk", "text")}
    return {
        "name": "Passages without pairs",
        "x": [point["x"] for point in points],
        "y": [point["y"] for point in points],
        "text": [texts.get(key, "A passage that is gone") for key in ids],
        "size": 6,
        "faint": True,
    }


def _series(name: str, points: Sequence[dict[str, Any]], questions: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "x": [point["x"] for point in points],
        "y": [point["y"] for point in points],
        "text": [questions.get(point["pair"], "A pair that is gone") for point in points],
        "size": 7,
    }


def _questions(ids: Sequence[str]) -> dict[str, str]:
    found = Pair.objects.filter(pk__in=ids).values_list("pk", "question")
    return {str(pk): shortened(question) for pk, question in found}


def shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def clusters_of(report: QualityReport) -> list[dict[str, Any]]:
    """The topics of the map, smallest first: what there is little about."""
    path = artifact_path(report.artifact) / "map.json"
    found = json.loads(path.read_text("utf-8"))["clusters"] if path.is_file() else []
    return sorted(({"bare": 0, **one, "name": ", ".join(one["words"])} for one in found), key=lambda one: one["pairs"])
