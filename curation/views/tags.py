"""The project's tags: making, naming, ordering, joining, removing."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST

from curation.errors import PairError
from curation.forms_filters import TagForm
from curation.models import Tag
from curation.selectors.tags import tags_with_counts
from curation.services.tagging import tag_create, tag_delete, tag_merge, tag_move, tag_rename
from curation.views.shared import pairs_tabs, show_error
from projects.guards import project_for
from projects.models import Project, User
from projects.pages import project_page


@require_http_methods(["GET", "POST"])
def tag_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Every tag with how many pairs carry it; POST makes a new one."""
    project = project_for(request.user, slug, can="review")
    form = TagForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            tag = tag_create(project=project, by=request.user, name=form.cleaned_data["name"])  # type: ignore[arg-type]
        except PairError as error:
            show_error(form, error)
        else:
            messages.success(request, f"Tag “{tag.name}” made.")
            return redirect("curation:tags", slug)
    context = {"tags": tags_with_counts(project), "form": form, "tabs": pairs_tabs(project, request.user, "tags")}
    return project_page(request, "curation/tags.html", project, "pairs", context, status=422 if form.errors else 200)


@require_POST
def tag_change(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Rename, move, join or remove one tag."""
    project = project_for(request.user, slug, can="review")
    tag = get_object_or_404(Tag.objects.select_related("project"), project__slug=project.slug, pk=pk)
    try:
        said = _change(request, project, tag, request.user)  # type: ignore[arg-type]
        messages.success(request, said)
    except PairError as error:
        messages.error(request, " ".join(error.fields.values()) or str(error))
    return redirect("curation:tags", slug)


def _change(request: HttpRequest, project: Project, tag: Tag, by: User) -> str:
    action, name = request.POST.get("action"), tag.name
    if action == "rename":
        return f"“{name}” is now “{tag_rename(tag=tag, by=by, name=request.POST.get('name', '')).name}”."
    if action in ("up", "down"):
        tag_move(tag=tag, by=by, places=-1 if action == "up" else 1)
        return f"“{name}” moved {action}."
    if action == "merge":
        into = Tag.objects.filter(project=project, pk=_number(request.POST.get("into", ""))).first()
        if into is None:
            raise PairError("Choose the tag to join it with.")
        gained = tag_merge(tag=tag, by=by, into=into)
        return f"“{name}” is part of “{into.name}” now, on {gained:,} more {'pair' if gained == 1 else 'pairs'}."
    if action == "delete":
        count = tag_delete(tag=tag, by=by)
        return f"“{name}” is gone; it was on {count:,} {'pair' if count == 1 else 'pairs'}."
    raise Http404("There is no such action.")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 12 else 0
