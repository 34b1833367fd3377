"""Pairs to take away, in the format of one's choice."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from curation import services
from curation.filters import FilterError
from curation.models import Pair
from curation.selectors import pairs as selectors
from curation.selectors.chores import chores_shown
from curation.selectors.exports import export_counts
from curation.selectors.pairs import Query
from curation.services import chores
from curation.views.shared import download, with_query
from projects.guards import project_for
from projects.models import Project, User
from projects.pages import project_page


def pairs_export(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The formats, with what each is for; or, with ``as`` in the address, the file. Both mean the pairs that match the table's filters.

    A large file is written by a worker, asked for by POST.
    """
    project = project_for(request.user, slug)
    try:
        query = Query.from_get(request.GET)
    except FilterError as error:
        messages.error(request, str(error))
        return redirect("curation:pairs", slug)
    pairs = selectors.pairs_of(project, query)
    chosen = services.EXPORTS.get(request.GET.get("as", ""))
    if chosen is None:
        return _choose(request, project, pairs, query)
    assert isinstance(request.user, User)  # the guard lets nobody else in
    count = pairs.count()
    if count > chores.AT_ONCE:
        address = request.GET.copy()
        address.pop("as", None)
        back = f"{request.path}?{address.urlencode()}" if address else request.path
        if request.method == "POST":
            services.pairs_export_begin(project=project, by=request.user, query=address.urlencode(), count=count, format=chosen, back=back)
        else:
            messages.info(request, "So large a file is written first. Choose its format here, and it is offered when it is ready.")
        return redirect(back)
    try:
        made = services.pairs_export(project=project, by=request.user, pairs=pairs, format=chosen, described=query.described())
    except services.ExportError as error:
        messages.error(request, f"{error} Filter the table first, or choose another format.")
        return redirect(with_query(reverse("curation:pairs", args=[slug]), request))
    return download(made.blocks, made.name, made.media_type, made.size)


def _choose(request: HttpRequest, project: Project, pairs: QuerySet[Pair], query: Query) -> HttpResponse:
    counts = export_counts(pairs)
    address = request.GET.copy()
    rows = []
    for one in services.EXPORTS.values():
        address["as"] = one.key
        count = counts["preferences"] if one.preferences else counts["all"]
        rows.append({"format": one, "url": f"{request.path}?{address.urlencode()}", "count": count})
    address.pop("as", None)
    context = {
        "formats": rows,
        "count": counts["all"],
        "described": query.described(),
        "filtered": query.described() != "all",
        "query": address.urlencode(),
        "at_once": chores.AT_ONCE,
        "chores": chores_shown(project, request.user),  # type: ignore[arg-type]
    }
    return project_page(request, "curation/export.html", project, "pairs", context)
