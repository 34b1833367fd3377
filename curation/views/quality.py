"""The quality gate: its verdict, the checks, the pairs behind them, and what mends them."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from curation.errors import PairError
from curation.filters import FilterError
from curation.forms_quality import GateForm
from curation.models import Chore, QualityReport
from curation.selectors import quality as selectors
from curation.selectors.chores import chores_shown
from curation.selectors.pairs import pair_counts
from curation.selectors.spot_check import spot_check_of
from curation.services import gating
from curation.services.remedies import REJECTING, finding_remedy_begin
from projects.guards import project_for
from projects.models import Project, User
from projects.pages import project_page
from runs.models import Status
from runs.services import RunError


def quality_page(request: HttpRequest, slug: str) -> HttpResponse:
    """The last report, and the run that makes the next one."""
    project = project_for(request.user, slug)
    return _page(request, project, selectors.reports_of(project).first())


def quality_report(request: HttpRequest, slug: str, pk: object) -> HttpResponse:
    """One report, the last or an earlier one."""
    project = project_for(request.user, slug)
    return _page(request, project, _report(project, pk), asked=True)


def _report(project: Project, pk: object) -> QualityReport:
    report = get_object_or_404(selectors.reports_of(project), pk=pk)
    report.project = project  # for addresses: no further query
    return report


def _page(
    request: HttpRequest,
    project: Project,
    report: QualityReport | None,
    *,
    form: GateForm | None = None,
    asked: bool = False,
    status: int = 200,
) -> HttpResponse:
    run = selectors.last_run(project)
    reports = list(selectors.reports_of(project)[:10])
    if report is not None:
        report.project = project
    newest = reports[0] if reports else None
    clusters = selectors.clusters_of(report) if report else []
    is_newest = newest is None or report is None or newest.pk == report.pk
    chores = chores_shown(project, request.user)  # type: ignore[arg-type]
    context = {
        "report": report,
        "run": run if run and (not run.is_ended or run.status in (Status.FAILED, Status.LOST)) and not asked else None,
        "run_places": {},
        "counts": pair_counts(project),
        "writing": any(one.kind == gating.KIND and one.is_live for one in chores),
        "form": form or _form(request, project),
        "again": bool(request.GET.get("again")),
        "reports": reports,
        "newest": is_newest,
        "groups": selectors.checks_by_group(report, newest=is_newest) if report else [],
        "tally": selectors.tally(report) if report else {},
        "outdated": report is not None and selectors.is_outdated(report),
        "chart": selectors.map_chart(report) if report else None,
        "clusters": clusters,
        "bare": any(one["bare"] for one in clusters),
        "pairs_words": selectors.pairs_words(report) if report else "",
        "rejecting": REJECTING,
        "spot": spot_check_of(project) if report and is_newest else None,
        "chores": chores,
    }
    return project_page(request, "curation/quality.html", project, "quality", context, status=status)


def _form(request: HttpRequest, project: Project) -> GateForm:
    """Filled with what was posted, or with what was chosen for a look that came to nothing."""
    assert isinstance(request.user, User)  # the guard lets nobody else in
    data: Mapping[str, str] | None = request.POST if request.method == "POST" else None
    typed = gating.gate_typed(project, request.user) if data is None and request.GET.get("again") else None
    return GateForm(data, initial=typed, project=project, user=request.user)


@require_POST
def quality_run(request: HttpRequest, slug: str) -> HttpResponse:
    """Look at the approved pairs, or at those chosen."""
    project = project_for(request.user, slug, can="build")
    form = _form(request, project)
    if form.is_valid():
        try:
            asked = {"tree": form.tree, "params": form.params, "model": form.cleaned_data["model"], "typed": form.typed}
            gating.gate_begin(project=project, by=request.user, **asked)
            return redirect("curation:quality", slug)  # the run, or the chore that leads to it, is told of above
        except (PairError, FilterError, RunError) as error:
            form.add_error(None, str(error))
    return _page(request, project, selectors.reports_of(project).first(), form=form, status=422)


def quality_findings(request: HttpRequest, slug: str, pk: object, check: str) -> HttpResponse:
    """The pairs behind a check's number."""
    project = project_for(request.user, slug)
    report = _report(project, pk)
    told = selectors.check_of(report, check)
    if told is None:
        raise Http404("The report has no such check.")
    context: dict[str, Any] = {
        "report": report,
        "check": told,
        "page": selectors.findings_page(report, check, request.GET.get("page")),
        "table_url": selectors.table_url(project, check) if selectors.reports_of(project).first() == report else "",
        "rejecting": REJECTING,
    }
    return project_page(request, "curation/quality_findings.html", project, "quality", context)


@require_POST
def quality_remedy(request: HttpRequest, slug: str, pk: object, check: str) -> HttpResponse:
    """Mend what a check found, all of it."""
    project = project_for(request.user, slug, can="review")
    report, action = _report(project, pk), request.POST.get("action", "")
    assert isinstance(request.user, User)  # the guard lets nobody else in
    try:
        said = finding_remedy_begin(report=report, by=request.user, check=check, action=action)
    except PairError as error:
        messages.error(request, str(error))
    else:
        if isinstance(said, Chore):  # told of above the report
            return redirect(report)
        messages.success(request, said)
    return redirect(f"{report.get_absolute_url()}#check-{check}")
