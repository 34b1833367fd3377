"""How far the long work that pages were asked for is; stopping it, putting its notice away, and fetching the file it wrote."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from catalogue.packing import file_blocks
from curation.models import Chore
from curation.selectors.chores import chores_shown
from curation.services.chores import chore_put_away, chore_stop
from curation.services.export_chores import media_type_of
from curation.views.shared import download
from projects.guards import project_for
from projects.models import Project
from projects.roles import may

# where chores of a kind are asked for; the others above the table
PAGES = {"cut": "curation:datasets", "gate": "curation:quality", "remedy": "curation:quality"}


def chores_strip(request: HttpRequest, slug: str) -> HttpResponse:
    """What pages ask for again while something is at work: a fragment."""
    project = project_for(request.user, slug)
    return _strip(request, project)


def _strip(request: HttpRequest, project: Project) -> HttpResponse:
    context = {"project": project, "chores": chores_shown(project, request.user)}  # type: ignore[arg-type]
    return render(request, "curation/_chores_at_work.html", context)


def _chore(project: Project, pk: object) -> Chore:
    return get_object_or_404(Chore.objects.select_related("project", "by"), project__slug=project.slug, pk=pk)


@require_POST
def chore_end(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """Stop what is at work: whoever asked for it, or an owner. What was done stays."""
    project = project_for(request.user, slug)
    chore = _chore(project, pk)
    if chore.by_id != request.user.pk and not may(project.role, "own"):  # type: ignore[attr-defined] (set by the guard)
        raise PermissionDenied("Whoever asked for it may stop it, and an owner.")
    chore_stop(chore=chore, by=request.user)  # type: ignore[arg-type]
    return _back(request, project, chore)


@require_POST
def chore_seen(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """Put the notice of how it ended away: one's own."""
    project = project_for(request.user, slug)
    chore = get_object_or_404(Chore, project=project, by=request.user, pk=pk)
    chore_put_away(chore=chore)
    return _back(request, project, chore)


def _back(request: HttpRequest, project: Project, chore: Chore) -> HttpResponse:
    if request.htmx:  # type: ignore[attr-defined]
        return _strip(request, project)
    return redirect(PAGES.get(chore.kind, "curation:pairs"), project.slug)


def chore_file(request: HttpRequest, slug: str, pk: object) -> HttpResponseBase:
    """What it wrote, while it is kept."""
    project = project_for(request.user, slug)
    chore = _chore(project, pk)
    if not chore.file or not chore.path.is_file():
        messages.error(request, "This file is not kept any more. Export again.")
        return redirect("curation:pairs_export", slug)
    return download(lambda: file_blocks(chore.path), chore.file, media_type_of(chore), chore.path.stat().st_size)
