"""The page of search, and measuring it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import (
    HttpRequest,
    HttpResponse,
)
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from retrieval import reader, selectors
from retrieval.citations import citation_url
from retrieval.embedding import EmbedderAway
from retrieval.forms import SearchForm
from retrieval.measuring import questions_of
from retrieval.models import Measurement
from retrieval.search import Hit, Lookup, look_up
from retrieval.services.measuring import MOST, MeasuringError, measurement_start, measurement_stop
from retrieval.stores import StoreError, warm

SHOWN = 8


@require_safe
def search_page(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    warm()
    form = SearchForm(request.GET)
    form.is_valid()
    query, mode = form.cleaned_data.get("q") or "", form.cleaned_data.get("mode") or "hybrid"
    index = selectors.index_of(project)
    found, trouble = _look_up(project, query, mode) if query else (Lookup([]), "")
    measurement = selectors.latest_measurement(project)
    questions = questions_of(project)
    context = {
        "form": form,
        "query": query,
        "mode": mode,
        "modes": SearchForm.base_fields["mode"].choices,  # type: ignore[attr-defined]
        "index": index,
        "passages": [_passage(project, rank, hit, query) for rank, hit in enumerate(found.hits, 1)],
        "lists": _lists(project, found),
        "milliseconds": round(found.milliseconds),
        "trouble": trouble,
        "measurement": measurement,
        **_measured(project, measurement),
        "questions": len(questions),
        "asked": min(len(questions), MOST),
        "examples": [question.question for question in questions[:: max(1, len(questions) // 3)][:3]],
    }
    return project_page(request, "retrieval/search.html", project, "search", context)


def _look_up(project: Project, query: str, mode: Any) -> tuple[Lookup, str]:
    """What was found, and what was in the way: without an embedder, words alone still find something."""
    try:
        return look_up(project, query, k=SHOWN, mode=mode), ""
    except EmbedderAway as error:
        try:
            return look_up(project, query, k=SHOWN, mode="keyword"), f"{error} What you see is ranked by words alone."
        except StoreError as other:
            return Lookup([]), str(other)
    except StoreError as error:
        return Lookup([]), str(error)


def _passage(project: Project, rank: int, hit: Hit, query: str) -> dict[str, Any]:
    chunk = hit.chunk
    return {
        "rank": rank,
        "hit": hit,
        "pieces": reader.marked_words(chunk.text.strip(), query),
        "name": chunk.version.document.name,
        "url": citation_url(project, chunk.version.document_id, chunk.start, chunk.end, chunk.version_id),
    }


def _lists(project: Project, found: Lookup) -> list[dict[str, Any]]:
    """The three rankings side by side, as short lines."""
    named = [("Together", found.hits), ("By meaning", found.by_vector), ("By words", found.by_keyword)]
    return [{"title": title, "hits": [_passage(project, rank, hit, "") for rank, hit in enumerate(hits, 1)]} for title, hits in named]


def _measured(project: Project, measurement: Measurement | None) -> dict[str, Any]:
    """The figures of the last measurement as tiles, and its misses with where to look at them."""
    if measurement is None or not measurement.results:
        return {"figures": [], "misses": []}
    found = measurement.results
    note = f"{found['missed']} of {found['queries']} questions missed" if found["missed"] else "no question missed"
    figures = [
        {"label": f"Found among the first {found['k']}", "value": f"{found['recall_at_5']:.1%}", "note": note},
        {"label": "Mean reciprocal rank", "value": f"{found['mrr']:.3f}", "note": "1 is always first"},
        {"label": "By words alone", "value": f"{found['keyword_only_recall_at_5']:.1%}"},
        {"label": "By meaning alone", "value": f"{found['vector_only_recall_at_5']:.1%}"},
        {
            "label": "Time of one search",
            "value": round(found["milliseconds"]),
            "unit": "ms",
            "note": "median, without embedding",
        },
    ]
    misses = selectors.measurement_misses(project, measurement)
    for miss in misses:
        miss["url"] = citation_url(project, miss["document"], miss["start"], miss["end"])
        miss["found_url"] = citation_url(project, miss["found"], miss["found_start"], miss["found_end"]) if miss["found"] else ""
    label = (
        f"The {found['missed']} questions it missed"
        if len(misses) == found["missed"]
        else f"{len(misses)} of the {found['missed']} questions it missed"
    )
    return {
        "figures": figures,
        "misses": misses,
        "misses_label": label if found["missed"] != 1 else "The question it missed",
    }


@require_POST
def measure_start(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    try:
        measurement_start(project=project, by=request.user)
    except MeasuringError as error:
        messages.error(request, str(error))
    return redirect(reverse("retrieval:search", args=[slug]) + "#measure")


@require_POST
def measure_stop(request: HttpRequest, slug: str, measurement_id: UUID) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    measurement = get_object_or_404(Measurement, project=project, pk=measurement_id)
    measurement_stop(measurement=measurement, by=request.user)
    return redirect(reverse("retrieval:search", args=[slug]) + "#measure")
