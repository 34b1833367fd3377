"""Filters of the table: put together in a builder, kept by name, shared."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST

from curation import filter_builder
from curation.errors import PairError
from curation.filters import FilterError, filter_parse, filter_text
from curation.forms_filters import FilterForm
from curation.models import SavedFilter
from curation.query import Query
from curation.selectors.filters import filter_words, saved_filters, saved_url
from curation.services.filtering import filter_change as change
from curation.services.filtering import filter_create, filter_delete
from curation.views.shared import show_error
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page


def filter_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """The builder, with all that the table is filtered by now; in the panel, or as a page."""
    project = project_for(request.user, slug)
    return _builder(request, project, Query.from_get(request.GET), FilterForm())


def _builder(request: HttpRequest, project: Project, query: Query, form: FilterForm, status: int = 200) -> HttpResponse:
    context = {
        "builder": filter_builder.builder_of(project, query.group),
        "tree": filter_text(query.group),
        "sort": query.sort,
        "form": form,
        "query": request.GET.urlencode(),
    }
    template = "curation/_filter.html" if request.htmx else "curation/filter.html"  # type: ignore[attr-defined]
    return project_page(request, template, project, "pairs", context, status=status)


@require_http_methods(["GET", "POST"])
def filter_list(request: HttpRequest, slug: str) -> HttpResponse:
    """One's own filters and the team's; POST keeps the one that is sent under a name."""
    project = project_for(request.user, slug, can="annotate")
    if request.method == "POST":
        return _save(request, project)
    rows = [_row(project, saved, request.user) for saved in saved_filters(project, request.user)]  # type: ignore[arg-type]
    return project_page(request, "curation/filters.html", project, "pairs", {"rows": rows})


def _save(request: HttpRequest, project: Project) -> HttpResponse:
    form = FilterForm(request.POST)
    tree = filter_parse(request.POST.get("f", ""))
    if form.is_valid():
        try:
            saved = filter_create(project=project, by=request.user, tree=tree.tree(), **form.cleaned_data)  # type: ignore[arg-type]
        except PairError as error:
            show_error(form, error)
        else:
            messages.success(request, f"Saved as “{saved.name}”.")
            return redirect(saved_url(saved))
    return _builder(request, project, Query(tree=tree), form, status=422)


def _row(project: Project, saved: SavedFilter, user: Any) -> dict[str, Any]:
    try:
        words, url = filter_words(project, saved.tree), saved_url(saved)
    except FilterError as error:  # it asks about a field that is gone
        words, url = f"Cannot be read any more: {error}", ""
    form = FilterForm(initial={"name": saved.name, "shared": saved.shared}, auto_id=f"filter-{saved.pk}-%s")
    return {"saved": saved, "words": words, "url": url, "own": saved.by_id == user.pk, "form": form}


@require_POST
def filter_change(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Rename, share or remove one's own filter."""
    project = project_for(request.user, slug, can="annotate")
    saved = get_object_or_404(SavedFilter.objects.select_related("by", "project"), project__slug=project.slug, pk=pk)
    form = FilterForm(request.POST)
    try:
        if request.POST.get("action") == "delete":
            filter_delete(saved=saved, by=request.user)  # type: ignore[arg-type]
            messages.success(request, f"“{saved.name}” is gone.")
        elif form.is_valid():
            change(saved=saved, by=request.user, **form.cleaned_data)  # type: ignore[arg-type]
            messages.success(request, "Saved")
        else:
            messages.error(request, "A filter needs a name of at most 60 characters.")
    except PairError as error:
        messages.error(request, " ".join(error.fields.values()) or str(error))
    return redirect("curation:filters", slug)
