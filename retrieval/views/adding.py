"""Adding what is no file of a document: pasted text, wikis, logs, results of queries."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from retrieval import services
from retrieval.forms_adding import SourceForm, TextForm


@require_http_methods(["GET", "POST"])
def text_add(request: HttpRequest, slug: str) -> HttpResponse:
    """Two forms: a pasted text, and a file that holds many documents."""
    project = project_for(request.user, slug, can="build")
    which = request.POST.get("form")
    text = TextForm(request.POST if which == "text" else None)
    source = SourceForm(request.POST if which == "source" else None, request.FILES if which == "source" else None)
    if which == "text" and text.is_valid():
        result = services.text_add(project=project, by=request.user, **text.cleaned_data)
        if result.ok:
            messages.success(request, f"{result.name}: {result.message}")
            return redirect("retrieval:documents", slug)
        text.add_error("title", f"{result.message} {result.mend}")
    elif which == "source" and source.is_valid() and _add(request, project, source):
        return redirect("retrieval:documents", slug)
    status = 422 if text.errors or source.errors else 200
    return project_page(request, "retrieval/add_text.html", project, "documents", {"text": text, "source": source}, status=status)


def _add(request: HttpRequest, project: Project, form: SourceForm) -> bool:
    """Whether the source became documents; else the form says why not."""
    kind = services.SOURCES[form.cleaned_data["kind"]]
    try:
        results = services.source_add(project=project, by=request.user, kind=kind, file=form.cleaned_data["file"])
    except services.SourceRefused as error:
        form.add_error("file", f"{error} {error.mend}")
        return False
    good, bad = [one for one in results if one.ok], [one for one in results if not one.ok]
    if not good:
        form.add_error("file", " ".join(f"{one.message} {one.mend}" for one in bad[:3]))
        return False
    messages.success(request, f"{len(good):,} {'document' if len(good) == 1 else 'documents'} added.")
    for one in bad[:3]:
        messages.warning(request, f"{one.message} {one.mend}")
    if len(bad) > 3:
        messages.warning(request, f"{len(bad) - 3:,} more could not be added.")
    return True
