"""Further pairs from pairs there are, and RAFT rows."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from catalogue.writers import writers
from curation.forms_generating import writer_chosen, writing_form
from curation.models import Pair, PairStatus
from curation.query import Query
from curation.selectors.pairs import pairs_of
from curation.services import augmenting, raft
from curation.services.writing import PairError
from curation.views.shared import show_error, ways_to_make, with_query
from engine import registry
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from runs.forms import params_form, params_from
from runs.services import RunError


@require_http_methods(["GET", "POST"])
def pairs_augment(request: HttpRequest, slug: str) -> HttpResponse:
    """From the pairs that the address filters for, as the table does; the approved ones where it says nothing."""
    project = project_for(request.user, slug, can="build")
    info, found = registry.get(augmenting.STAGE), writers(project)
    form = writing_form(info, found, request.POST if request.method == "POST" else None, required=False)
    pairs, words = _chosen(request, project)
    pairs = augmenting.augmentable(pairs)
    if request.method == "POST" and form.is_valid():
        params = params_from(form)
        writer = params.pop("writer", "")
        try:
            return redirect(augmenting.pairs_augment(project=project, by=request.user, pairs=pairs, params=params, writer=writer))
        except (PairError, RunError) as error:
            show_error(form, error)
    context = {
        "form": form,
        "count": pairs.count(),
        "words": words,
        "most": augmenting.MOST,
        "writers": found,
        "away": [writer for writer in found if not writer.here],
        "writer": writer_chosen(form, found),
        "action": with_query(request.path, request),
        "missing": info.missing(),
        **ways_to_make(project, "augment"),
    }
    return project_page(request, "curation/augment.html", project, "pairs", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def pairs_raft(request: HttpRequest, slug: str) -> HttpResponse:
    """Questions among distractors; how far the gathering of their passages is."""
    project = project_for(request.user, slug, can="build")
    form = params_form(registry.get(raft.STAGE), request.POST if request.method == "POST" else None)
    pairs, words = _chosen(request, project)
    pairs = raft.raft_pairs(pairs)
    if request.method == "POST" and form.is_valid():
        try:
            count = raft.raft_start(project=project, by=request.user, pairs=pairs, params=params_from(form))
            messages.success(request, f"The passages of {count:,} {'pair' if count == 1 else 'pairs'} are being gathered")
            return redirect("curation:pairs_raft", slug)
        except (PairError, RunError) as error:
            show_error(form, error)
    context = {
        "form": form,
        "count": pairs.count(),
        "words": words,
        "most": raft.MOST,
        "gathering": raft.gathering_of(project),
        "action": with_query(request.path, request),
        **ways_to_make(project, "raft"),
    }
    return project_page(request, "curation/raft.html", project, "pairs", context, status=422 if form.errors else 200)


def _chosen(request: HttpRequest, project: Project) -> tuple[QuerySet[Pair], str]:
    """The pairs that the address means, and how to call them."""
    if request.GET:
        return pairs_of(project, Query.from_get(request.GET)), "that the table's filter shows"
    return Pair.objects.filter(project=project, status=PairStatus.APPROVED), "that are approved"
