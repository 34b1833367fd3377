"""Pages of documents."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.files import File
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
)
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from engine.lib.upload_checks import labels
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from projects.spreadsheets import csv_download
from retrieval import reader, selectors, services
from retrieval.forms import BulkForm, SpanForm
from retrieval.models import Document, DocumentVersion, VersionStatus
from retrieval.sent_names import names_as_sent
from retrieval.services.staleness import dependents

PER_PAGE = 50


def _listed(request: HttpRequest, project: Project) -> QuerySet[Document]:
    query = {name: request.GET.get(name, "").strip() for name in ("status", "language", "finding")}
    return selectors.documents_of(project, text=request.GET.get("q", "").strip(), sort=request.GET.get("sort", "name"), **query)


@require_safe
def document_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    page = Paginator(_listed(request, project), PER_PAGE).get_page(request.GET.get("page"))
    counts = selectors.document_counts(project)
    runs = selectors.live_reading(project)
    context = {
        "page": page,
        "rows": [(document, _shown(document)) for document in page],
        "counts": counts,
        "runs": runs,
        "stopped_waiting": 0 if runs else counts["waiting"],
        "filters": _filters(project),
        "bulk": BULK,
        "accept": labels(),
        "max_bytes": settings.UPLOAD_MAX_BYTES,
    }
    return project_page(request, "retrieval/documents.html", project, "documents", context)


BULK = [
    {"value": "retry", "label": "Read again", "icon": "rotate-ccw"},
    {
        "value": "delete",
        "label": "Delete",
        "icon": "trash-2",
        "danger": True,
        "confirm": "Delete {n}?",
        "detail": "Their text is erased here, in the index and in what runs kept. What was made from them becomes stale. There is no undo.",
    },
]


def _filters(project: Project) -> list[dict[str, Any]]:
    return [
        {"name": "status", "label": "Any status", "choices": VersionStatus.choices},
        {"name": "language", "label": "Any language", "choices": selectors.languages_of(project)},
        {
            "name": "finding",
            "label": "Any findings",
            "choices": [("any", "With findings"), ("none", "Without findings")],
        },
    ]


def _shown(document: Document) -> dict[str, Any]:
    """What a row says about a document beyond its fields."""
    version = document.latest
    reading = version is not None and version.status == VersionStatus.READING
    return {
        "step": selectors.step_of(version) if version and reading else None,
        "language": selectors.language_word(version.language) if version and version.pages is not None else "",
    }


@require_POST
@names_as_sent
def document_upload(request: HttpRequest, slug: str) -> JsonResponse:
    """One answer a file: an object for one, ``{"files": […]}`` for several."""
    project = project_for(request.user, slug, can="build")
    files = [File(file.file, name=file.sent_name) for _, files in request.FILES.lists() for file in files]
    if not files:
        refusal = {
            "name": "",
            "ok": False,
            "message": "No file arrived, or its name is no file name.",
            "mend": "Choose a file with a plain name.",
        }
        return JsonResponse(refusal, status=400)
    answers = [result.as_dict() for result in services.documents_upload(project=project, files=files, by=request.user)]
    return JsonResponse(answers[0] if len(answers) == 1 else {"files": answers})  # 200: the refusal is about the file


@require_POST
def document_read(request: HttpRequest, slug: str) -> HttpResponse:
    """Read what waits, now."""
    project = project_for(request.user, slug, can="build")
    try:
        services.documents_ingest(project=project, by=request.user)
        messages.success(request, "Reading has begun")
    except services.ReadingError as error:
        messages.error(request, str(error))
    return redirect("retrieval:documents", slug)


@require_POST
def document_bulk(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    form = BulkForm(request.POST)
    back = f"{reverse('retrieval:documents', args=[slug])}?{request.GET.urlencode()}"
    if not form.is_valid():
        messages.error(request, "Choose documents and what to do with them.")
        return redirect(back)
    ids = list(_listed(request, project).values_list("pk", flat=True)) if form.cleaned_data["all"] else form.ids
    if form.cleaned_data["action"] == "delete":
        _say(request, services.documents_delete(project=project, documents=ids, by=request.user), "deleted")
    else:
        _say(request, services.documents_retry(project=project, documents=ids, by=request.user), "will be read again")
    return redirect(back)


def _say(request: HttpRequest, count: int, what: str) -> None:
    if count:
        messages.success(request, f"{count:,} {'document' if count == 1 else 'documents'} {what}")
    else:
        messages.warning(
            request,
            "Nothing to do: none of these documents failed or was stopped." if "read" in what else "These documents are gone already.",
        )


EXPORTED = ("name", "title", "version", "status", "pages", "passages", "language", "bytes", "sha256", "findings", "error")


@require_safe
def document_export(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The table as CSV, filtered as on the page."""
    project = project_for(request.user, slug)
    documents = _listed(request, project).iterator(chunk_size=500)
    return csv_download(f"{project.slug}-documents", EXPORTED, (_exported(document) for document in documents if document.latest))


def _exported(document: Document) -> list[Any]:
    one = document.latest
    assert one is not None
    findings = "; ".join(finding.get("message", "") for finding in one.findings)
    figures = [one.number, one.status, one.pages, one.chunk_count, one.language, one.bytes, one.sha256]
    return [document.name, one.title, *figures, findings, (one.error or {}).get("message", "")]


# --- one document ---


def _document(project: Project, document_id: UUID) -> Document:
    found = Document.objects.select_related("latest", "current", "created_by")
    return get_object_or_404(found, project=project, pk=document_id)


@require_safe
def document_detail(request: HttpRequest, slug: str, document_id: UUID) -> HttpResponse:
    """A document's text beside its passages. Citations link to ``?start=…&end=…``: the page of that span, with the span marked."""
    project = project_for(request.user, slug)
    document = _document(project, document_id)
    if document.deleted_at:
        return project_page(request, "retrieval/gone.html", project, "documents", {"document": document}, status=410)
    versions = list(document.versions.select_related("created_by", "run"))
    form = SpanForm(request.GET)
    form.is_valid()
    wanted = form.cleaned_data.get("version")
    version = next((one for one in versions if one.pk == wanted), document.current or document.latest)
    if version is None:
        raise Http404("This document has no version.")
    latest = document.latest
    context = {
        "document": document,
        "version": version,
        "versions": versions,
        "reading": _reading(version, form),
        "language": selectors.language_word(version.language) if version.pages is not None else "",
        "step": selectors.step_of(latest) if latest and latest.status == VersionStatus.READING else None,
        "dependents": dependents([one.pk for one in versions]),
    }
    return project_page(request, "retrieval/document.html", project, "documents", context)


def _reading(version: DocumentVersion, form: SpanForm) -> reader.Reading | None:
    try:
        text = version.text()
    except OSError:
        return None
    windows = reader.windows_of(version, text)
    cited = form.span(len(text))
    part = form.cleaned_data.get("part") or 1
    window = reader.window_at(windows, cited[0]) if cited else windows[min(part, len(windows)) - 1]
    chunks = list(selectors.chunks_in(version, window.start, window.end))
    return reader.Reading(window, windows, reader.rows_of(text, window, chunks, cited))


@require_POST
def document_delete(request: HttpRequest, slug: str, document_id: UUID) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    document = _document(project, document_id)
    _say(request, services.documents_delete(project=project, documents=[document.pk], by=request.user), "deleted")
    return redirect("retrieval:documents", slug)


@require_POST
def document_retry(request: HttpRequest, slug: str, document_id: UUID) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    document = _document(project, document_id)
    _say(
        request,
        services.documents_retry(project=project, documents=[document.pk], by=request.user),
        "will be read again",
    )
    return redirect(document)


@require_safe
def document_file(request: HttpRequest, slug: str, document_id: UUID) -> HttpResponseBase:
    """The original file of a version, the latest unless ``?version=`` names another. Never shown inline: it is a stranger's file."""
    project = project_for(request.user, slug)
    document = _document(project, document_id)
    form = SpanForm(request.GET)
    form.is_valid()
    wanted = form.cleaned_data.get("version")
    version = document.versions.filter(pk=wanted).first() if wanted else document.latest
    if document.deleted_at or version is None or not version.path.is_file():
        raise Http404("This file is not here any more.")
    file = open(version.path, "rb")  # noqa: SIM115 (the response closes it)
    answer = FileResponse(file, as_attachment=True, filename=document.name, content_type="application/octet-stream")
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer
