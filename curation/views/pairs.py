"""The table of pairs: looking, counting, finding what is alike."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from curation.documents import chunks_facts
from curation.filters import FilterError
from curation.models import Pair
from curation.paging import KeyedPaginator
from curation.query import NONE, Query
from curation.selectors import pairs as selectors
from curation.selectors.chores import chores_shown
from curation.selectors.facets import facet
from curation.selectors.filters import choices_of, filter_words, saved_filters, saved_url
from curation.similar import similar_by_meaning, similar_by_words
from curation.views.shared import pairs_tabs
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from retrieval.embedding import EmbedderAway

ROWS = 25
COLUMNS = ("question", "answer_length", "shape", "topic", "difficulty", "origin", "status", "document_id", "stale", "disputed", "fork")
ALWAYS = ("status", "topic", "tag", "document", "shape")  # plain filters with a box of their own; the others get one while they are set
SOMETIMES = ("origin", "language", "difficulty")
FACETS = ("status", "topic", "tag", "shape", "difficulty", "language", "origin", "document")


def pair_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    try:
        query, wrong = Query.from_get(request.GET), ""
    except FilterError as error:
        query, wrong = Query(), str(error)
    rows = Pair.objects.only(*COLUMNS).prefetch_related("tags")
    page = KeyedPaginator(selectors.pairs_of(project, query), rows, ROWS).get_page(request.GET.get("page"))
    choices = choices_of(project, (*ALWAYS, *(name for name in SOMETIMES if getattr(query, name)), "created_by"))
    documents, counts = dict(choices["document"]), selectors.pair_counts(project)
    for pair in page:
        pair.document_name = documents.get(str(pair.document_id), "")
    context = {
        "tabs": pairs_tabs(project, request.user, "pairs"),
        "page": page,
        "counts": counts,
        "chores": chores_shown(project, request.user),  # type: ignore[arg-type]
        "filters": _boxes(query, choices),
        "people": choices["created_by"],
        "tags": choices["tag"],
        "topics": choices["topic"],
        "bulk": [
            {"value": "approve", "label": "Approve", "icon": "check"},
            {"value": "reject", "label": "Reject", "icon": "x", "danger": True},
            {"value": "reopen", "label": "Back to review", "icon": "undo-2"},
            {"dialog": "bulk-label", "label": "Label", "icon": "tag"},
            {"dialog": "bulk-assign", "label": "Assign", "icon": "user-plus"},
        ],
        "facts": None if counts["all"] else chunks_facts(project),
        "wrong": wrong,
        "asked": filter_words(project, query.tree) if query.tree.parts else "",
        "without_tree": _without(request, "f", "page"),
        "saved": [(one, saved_url(one)) for one in saved_filters(project, request.user)],  # type: ignore[arg-type]
    }
    return project_page(request, "curation/pairs.html", project, "pairs", context, status=400 if wrong else 200)


def _boxes(query: Query, choices: dict[str, list[tuple[str, str]]]) -> list[dict[str, Any]]:
    """The plain filters as the table shows them."""
    labels = {"status": "Any status", "document": "Any document", "language": "Any language", "problem": "Any condition"}
    kept = [name for name in (*ALWAYS, *SOMETIMES) if choices.get(name) or getattr(query, name)]
    boxes = [{"name": name, "label": labels.get(name, f"Any {name}"), "choices": _offered(name, choices.get(name, []))} for name in kept]
    if query.problem:
        boxes.append({"name": "problem", "label": labels["problem"], "choices": list(selectors.PROBLEMS.items())})
    return boxes


def _offered(name: str, choices: list[tuple[str, str]]) -> list[tuple[str, str]]:
    nothing = {"document": "No document", "topic": "No topic", "tag": "No tag", "language": "No language", "difficulty": "No difficulty"}
    return [*choices, (NONE, nothing[name])] if name in nothing else choices


def _without(request: HttpRequest, *names: str) -> str:
    query = request.GET.copy()
    for name in names:
        query.pop(name, None)
    return f"{request.path}?{query.urlencode()}" if query else request.path


def pairs_facets(request: HttpRequest, slug: str) -> HttpResponse:
    """How many of those that match have which topic, tag …: the panel, or with ``field`` the values of one field in it."""
    project = project_for(request.user, slug)
    query, field = Query.from_get(request.GET), request.GET.get("field", "")
    if not field:
        template = "curation/_facets.html" if request.htmx else "curation/facets.html"  # type: ignore[attr-defined]
        return project_page(request, template, project, "pairs", {"fields": FACETS, "query": request.GET.urlencode()})
    if field not in FACETS:
        raise Http404("There is no such field.")
    found = facet(project, query, field)
    base = request.GET.copy()
    for name in ("field", "page", field):
        base.pop(name, None)
    return render(request, "curation/_facet.html", {"project": project, "facet": found, "base": base.urlencode()})


def pair_similar(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """What says nearly the same, by words or, with ``by=meaning``, by what the embedding server makes of it."""
    project = project_for(request.user, slug)
    pair = get_object_or_404(Pair.objects.select_related("project"), project__slug=project.slug, pk=pk)
    by, away = ("meaning" if request.GET.get("by") == "meaning" else "words"), ""
    try:
        found = similar_by_meaning(pair) if by == "meaning" else similar_by_words(pair)
    except EmbedderAway as error:
        found, away = similar_by_words(pair), str(error)
    context = {"pair": pair, "found": found, "away": away, "tabs": _similar_tabs(project, pair, "words" if away else by)}
    return project_page(request, "curation/similar.html", project, "pairs", context)


def _similar_tabs(project: Project, pair: Pair, current: str) -> list[dict[str, Any]]:
    url = reverse("curation:pair_similar", args=[project.slug, pair.pk])
    return [
        {"title": "By words", "url": url, "current": current == "words"},
        {"title": "By meaning", "url": f"{url}?by=meaning", "current": current == "meaning"},
    ]
