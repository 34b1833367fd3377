"""Files of pairs: uploading, looking at their rows, trying and importing them."""

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from curation import services
from curation.forms_importing import ImportForm, settings_from
from curation.import_settings import ImportSettings
from curation.models import PairImport
from curation.selectors import imports as selectors
from engine.lib.pair_formats import FORMATS, columns
from engine.lib.pair_formats.file_types import KINDS, kind_of
from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from projects.spreadsheets import csv_download
from runs.services import RunError


def import_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    found = list(selectors.imports_of(project)[:200])
    context = {
        "imports": [(one, selectors.state_of(one)) for one in found],
        "accept": ",".join(KINDS),
        "max_bytes": settings.UPLOAD_MAX_BYTES,
    }
    return project_page(request, "curation/imports.html", project, "pairs", context)


@require_POST
def import_new(request: HttpRequest, slug: str) -> JsonResponse:
    """One uploaded file; the answer names the page where it goes on."""
    project = project_for(request.user, slug, can="build")
    file = request.FILES.get("file")
    if file is None:
        answer = {"name": "", "ok": False, "message": "No file arrived.", "mend": "Choose a file with a plain name."}
        return JsonResponse(answer, status=400)
    try:
        made = services.pair_import_upload(project=project, by=request.user, file=file)
    except services.PairImportError as error:  # 200: the refusal is about the file
        return JsonResponse({"name": file.name, "ok": False, "message": str(error), "mend": error.mend})
    return JsonResponse({"name": made.name, "ok": True, "message": "Uploaded", "mend": "", "url": made.get_absolute_url()})


def _import(project: Project, pk: object) -> PairImport:
    return get_object_or_404(selectors.imports_of(project), pk=pk)


@require_http_methods(["GET", "POST"])
def import_detail(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """How the file reads, and what its runs say. A POST changes how it is read, tries it, or imports it."""
    project = project_for(request.user, slug, can="build")
    pair_import = _import(project, pk)
    kind = kind_of(pair_import.name) or "lines"
    chosen = ImportSettings.from_dict(pair_import.settings)
    error = None
    if request.method == "POST":
        chosen = settings_from(request.POST, chosen, kind)
        services.pair_import_set(pair_import=pair_import, settings=chosen)
        if request.POST.get("action") in ("try", "start"):
            error = _begin(request, pair_import, chosen)
            if error is None:
                tried_again = request.POST["action"] == "try" and request.POST.get("again")
                return redirect(f"{pair_import.get_absolute_url()}?again=1" if tried_again else pair_import)
    return _page(request, project, pair_import, chosen, kind, error)


def _begin(request: HttpRequest, pair_import: PairImport, chosen: ImportSettings) -> services.PairImportError | None:
    """Start the run with what the page shows; what is wrong where it cannot start."""
    key, mapping = selectors.read_as(selectors.peek_of(pair_import, chosen), chosen)
    services.pair_import_set(pair_import=pair_import, settings=replace(chosen, format=key, mapping=mapping))
    begin = services.pair_import_start if request.POST["action"] == "start" else services.pair_import_try
    try:
        begin(pair_import=pair_import, by=request.user, again=bool(request.POST.get("again")))
    except services.PairImportError as error:
        return error
    except RunError as error:
        return services.PairImportError(str(error))
    return None


def _page(
    request: HttpRequest,
    project: Project,
    pair_import: PairImport,
    chosen: ImportSettings,
    kind: str,
    error: services.PairImportError | None,
) -> HttpResponse:
    peeked = selectors.peek_of(pair_import, chosen)
    key, mapping = selectors.read_as(peeked, chosen)
    run = _latest(pair_import)
    report = selectors.report_of(run)
    imported = pair_import.run is not None and selectors.is_imported(pair_import.run)
    again = imported and bool((request.POST or request.GET).get("again"))
    context: dict[str, Any] = {
        "import": pair_import,
        "error": error,
        "form": ImportForm.of(chosen, kind=kind, sheets=peeked.sheets, sheet=peeked.sheet),
        "peek": peeked,
        "format": FORMATS[key],
        "fields": peeked.fields(mapping) if key == columns.KEY else [],
        "choices": list(columns.FIELDS.items()),
        "lines": peeked.read_as(key, mapping),
        "run": run,
        "tried": run is not None and run == pair_import.dry_run,
        "imported": imported,
        "again": again,
        "new": selectors.taken_in(run) if run and imported and run == pair_import.run else 0,
        "report": report,
        "stats": selectors.report_stats(report) if report else [],
        "bad_rows": list(selectors.bad_rows(run)) if run and report and report.bad else [],
        "table": selectors.taken_in(run) if run and run.is_active and run.summary else None,
        "same": selectors.same_file(pair_import),
        "places": {},
    }
    return project_page(request, "curation/import.html", project, "pairs", context, status=422 if error else 200)


def _latest(pair_import: PairImport) -> Any:
    """The run that the page is about: the import, unless something was tried after it failed."""
    runs = [run for run in (pair_import.run, pair_import.dry_run) if run]
    return max(runs, key=lambda run: run.created_at, default=None)


def import_errors(request: HttpRequest, slug: str, pk: object) -> HttpResponseBase:
    """The rows that were left out, as CSV."""
    project = project_for(request.user, slug, can="build")
    run = _latest(_import(project, pk))
    rows = ((row.line, row.column, row.message, row.text) for row in (selectors.bad_rows(run, None) if run else ()))
    return csv_download(f"{project.slug}-left-out", ["line", "column", "what is wrong", "text"], rows)


@require_POST
def import_remove(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    try:
        services.pair_import_remove(pair_import=_import(project, pk), by=request.user)
        messages.success(request, "The file is removed. Pairs that came from it stay.")
    except services.PairImportError as error:
        messages.error(request, f"{error} {error.mend}")
    return redirect(reverse("curation:imports", args=[slug]))
