"""Pages of runs."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from engine import registry
from engine.events import EVENTS_FILE
from projects.guards import SignedInRequest, project_for
from projects.models import Project
from projects.pages import project_page
from projects.registries import provided
from runs import processes, services
from runs.charts import latest_figures, metric_places, run_charts
from runs.forms import params_form, params_from, settings_in_words
from runs.models import Run, Status
from runs.selectors import curves, running_for, runs_of, snapshot_events


def running(request: SignedInRequest) -> HttpResponse:
    """The ring of live work in the top bar, fetched again every few seconds."""
    return render(request, "components/running.html", {"running": running_for(request.user)})


def run_list(request: SignedInRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    query = {name: request.GET.get(name, "").strip() for name in ("status", "stage", "q")}
    runs = runs_of(project, status=query["status"], stage=query["stage"], text=query["q"])
    context = {
        "page": Paginator(runs, 25).get_page(request.GET.get("page")),
        "filtered": any(query.values()),
        "filters": [
            {"name": "status", "label": "Any status", "choices": Status.choices},
            {"name": "stage", "label": "Any kind", "choices": [(info.key, info.title) for info in registry.all_stages()]},
        ],
        "launchers": [link for links in provided("run_launchers", project) for link in links],
    }
    return project_page(request, "runs/list.html", project, "runs", context)


def _run(project: Project, run_id: object) -> Run:
    return get_object_or_404(Run.objects.select_related("created_by", "rerun_of"), project=project, pk=run_id)


def run_detail(request: SignedInRequest, slug: str, run_id: object) -> HttpResponse:
    project = project_for(request.user, slug)
    run = _run(project, run_id)
    drawn = curves(run)
    charts = run_charts(drawn)
    # The cursor is read before the rows: what arrives in between is sent again and drawn once, never missed
    context = {
        "run": run,
        "last_seq": run.last_seq,
        "info": registry.get(run.stage),
        "events": snapshot_events(run),
        "charts": charts,
        "places": metric_places(charts),
        "figures": latest_figures(drawn),
        "inputs": run.inputs.select_related("artifact", "artifact__produced_by", "from_run"),
        "outputs": run.outputs.order_by("attempt", "role"),
        "can_resume": services.run_can_resume(run),
        "again": _begun_again_at(run),
        "settings": settings_in_words(registry.get(run.stage), run.params),
        "cards": [card for cards in provided("run_cards", run) for card in cards],
    }
    return project_page(request, "runs/detail.html", project, "runs", context)


def run_log(request: SignedInRequest, slug: str, run_id: object) -> HttpResponse:
    """The end of the current attempt's log, as text; the page shows it folded."""
    run = _run(project_for(request.user, slug), run_id)
    return HttpResponse(processes.log_tail(run.attempt_folder, lines=400), content_type="text/plain; charset=utf-8")


def run_events_file(request: SignedInRequest, slug: str, run_id: object) -> HttpResponseBase:
    """The attempt's events.jsonl as a download."""
    run = _run(project_for(request.user, slug), run_id)
    path = run.attempt_folder / EVENTS_FILE
    if not path.is_file():
        raise Http404("This run has not begun.")
    return FileResponse(open(path, "rb"), as_attachment=True, filename=f"run-{run.pk}-{run.attempt}-events.jsonl")


@require_POST
def run_stop(request: SignedInRequest, slug: str, run_id: object) -> HttpResponse:
    run = _run(project_for(request.user, slug, can="build"), run_id)
    services.run_stop(run=run, by=request.user)
    messages.success(request, "Stopping. What it has is saved first.")
    return redirect(run)


@require_POST
def run_cancel(request: SignedInRequest, slug: str, run_id: object) -> HttpResponse:
    run = _run(project_for(request.user, slug, can="build"), run_id)
    services.run_cancel(run=run, by=request.user)
    messages.success(request, "Cancelled")
    return redirect(run)


@require_POST
def run_resume(request: SignedInRequest, slug: str, run_id: object) -> HttpResponse:
    run = _run(project_for(request.user, slug, can="build"), run_id)
    try:
        services.run_resume(run=run, by=request.user)
    except services.RunError as error:
        messages.error(request, str(error))
    return redirect(run)


def _begun_again_at(run: Run) -> dict[str, str] | None:
    """The page ("url", "label") of a higher floor where such a run is begun again; None where it is rerun with changes here."""
    return next((place for place in provided("begun_again_at", run) if place), None)


def run_rerun(request: SignedInRequest, slug: str, run_id: object) -> HttpResponse:
    """Rerun with changes: the same inputs and seed, the parameters as a form; or the page that begins such runs again."""
    project = project_for(request.user, slug, can="build")
    run = _run(project, run_id)
    if elsewhere := _begun_again_at(run):
        return redirect(elsewhere["url"])
    info = registry.get(run.stage)
    form = params_form(info, request.POST or None, initial=run.params)
    if request.method == "POST" and form.is_valid():
        try:
            emptied = dict.fromkeys(form.fields)  # what was cleared shall not keep its old value
            return redirect(services.run_rerun(run=run, by=request.user, params=emptied | params_from(form)))
        except services.RunError as error:
            for field, text in error.fields.items():
                form.add_error(field if field in form.fields else None, text)
            if not error.fields:
                form.add_error(None, str(error))
    return project_page(request, "runs/rerun.html", project, "runs", {"run": run, "info": info, "form": form})
