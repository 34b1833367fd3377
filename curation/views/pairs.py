"""The table of pairs: looking, deciding on many, exporting."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from curation import services
from curation.documents import chunks_facts
from curation.models import Pair, PairStatus
from curation.selectors import pairs as selectors
from curation.selectors.pairs import Query
from projects.guards import project_for
from projects.pages import project_page
from projects.spreadsheets import csv_download

BULK = {
    "approve": (PairStatus.APPROVED, "approved"),
    "reject": (PairStatus.REJECTED, "rejected"),
    "reopen": (PairStatus.PENDING, "back in review"),
}


def pair_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    query = Query.from_get(request.GET)
    pairs = selectors.pairs_of(project, query).only("question", "answer_length", "shape", "status", "document_id", "stale")
    documents = selectors.documents_with_pairs(project)
    page = Paginator(pairs, 25).get_page(request.GET.get("page"))
    names = dict(documents)
    for pair in page:
        pair.document_name = names.get(str(pair.document_id), "")
    context = {
        "page": page,
        "counts": selectors.pair_counts(project),
        "filters": [
            {"name": "status", "label": "Any status", "choices": PairStatus.choices},
            {"name": "shape", "label": "Any shape", "choices": selectors.shapes_of(project)},
            {"name": "document", "label": "Any document", "choices": documents},
            *([{"name": "problem", "label": "Any condition", "choices": list(selectors.PROBLEMS.items())}] if query.problem else []),
        ],
        "bulk": [
            {"value": "approve", "label": "Approve", "icon": "check"},
            {"value": "reject", "label": "Reject", "icon": "x", "danger": True},
            {"value": "reopen", "label": "Back to review", "icon": "undo-2"},
        ],
        "facts": chunks_facts(project),
    }
    return project_page(request, "curation/pairs.html", project, "pairs", context)


@require_POST
def pairs_bulk(request: HttpRequest, slug: str) -> HttpResponse:
    """Decide the selected pairs, or all that match the table's filters."""
    project = project_for(request.user, slug, can="review")
    if request.POST.get("action") not in BULK:
        raise Http404("There is no such action.")
    status, word = BULK[request.POST["action"]]
    if request.POST.get("all"):
        query = Query.from_get(request.GET)
        pairs, described = selectors.pairs_of(project, query), f"all that match: {query.described()}"
    else:
        ids = [pk for pk in request.POST.getlist("ids") if _is_uuid(pk)]
        pairs, described = Pair.objects.filter(project=project, pk__in=ids), f"{len(ids)} selected"
    done = services.pairs_decide_bulk(project=project, by=request.user, pairs=pairs, status=status, described=described)
    messages.success(request, f"{done:,} {'pair' if done == 1 else 'pairs'} {word}." if done else f"Every one was {word} already.")
    return redirect(f"{reverse('curation:pairs', args=[slug])}?{request.GET.urlencode()}")


def pairs_export(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The pairs that match, as CSV."""
    project = project_for(request.user, slug)
    pairs = selectors.pairs_of(project, Query.from_get(request.GET)).iterator(500)
    names = dict(selectors.documents_with_pairs(project))
    heads = ["question", "answer", "shape", "status", "document", "page", "start", "end"]
    return csv_download(f"{project.slug}-pairs", heads, (_exported(pair, names) for pair in pairs))


def _exported(pair: Pair, names: dict[str, str]) -> list[Any]:
    source: dict[str, Any] = pair.sources[0] if pair.sources else {}
    place = [source.get(name) for name in ("page", "start", "end")]
    return [pair.question, pair.answer, pair.shape, pair.status, names.get(str(pair.document_id), ""), *place]


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
