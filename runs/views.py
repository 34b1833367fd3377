"""Pages of runs."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from engine import registry
from engine.events import EVENTS_FILE
from projects.guards import SignedInRequest, project_for
from projects.models import Project
from projects.notifications import notifications_read
from projects.pages import project_page
from projects.registries import provided
from runs import processes, queueing, services
from runs.charts import latest_figures, metric_places, run_charts
from runs.curves import curves
from runs.forms import PriorityForm, params_form, params_from, settings_in_words
from runs.marks import chart_lines, checkpoint_steps
from runs.metrics_file import metrics_csv, metrics_of, streamed
from runs.models import PENDING, Priority, Run, Status
from runs.selectors import computed, running_for, runs_of, snapshot_events


def running(request: SignedInRequest) -> HttpResponse:
    """The ring of live work in the top bar, fetched again every few seconds."""
    return render(request, "components/running.html", {"running": running_for(request.user)})


def run_list(request: SignedInRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug)
    query = {name: request.GET.get(name, "").strip() for name in ("status", "stage", "q")}
    runs = runs_of(project, status=query["status"], stage=query["stage"], text=query["q"])
    page = queueing.tell_places(Paginator(runs, 25).get_page(request.GET.get("page")))
    groups = {key: group for answer in provided("run_groups", page) for key, group in answer.items()}
    for run in page:
        run.part_of = groups.get(run.pk)  # type: ignore[attr-defined] # what was begun together with it: a name and an address
    context = {
        "page": page,
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
    if run.is_ended:
        notifications_read(user=request.user, url=run.get_absolute_url())
    drawn = {} if request.GET.get("charts") == "no" else curves(run)  # the page's script asks so for its other parts
    charts = run_charts(drawn, stage=run.stage, lines=chart_lines(run, drawn.get("general_loss", [])), checkpoints=checkpoint_steps(run))
    file = reverse("runs:metrics", args=[slug, run_id])
    for chart in charts:
        chart["csv"] = f"{file}?{urlencode([('metric', name) for name in chart['metrics']])}"
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
        "computed": computed(run),
        "settings": settings_in_words(registry.get(run.stage), run.params),
        "cards": [card for cards in provided("run_cards", run) for card in cards],
        **_in_queue(run),
    }
    return project_page(request, "runs/detail.html", project, "runs", context)


def run_metrics_file(request: SignedInRequest, slug: str, run_id: object) -> HttpResponseBase:
    """Every point of the metrics asked for (``?metric=``, else all) as CSV."""
    run = _run(project_for(request.user, slug), run_id)
    known = metrics_of(run)
    wanted = set(request.GET.getlist("metric"))
    lines = metrics_csv(run, [name for name in known if name in wanted] if wanted else known)
    headers = {"Content-Disposition": f'attachment; filename="run-{run.pk}-metrics.csv"'}
    return StreamingHttpResponse(streamed(lines), content_type="text/csv; charset=utf-8", headers=headers)


def _in_queue(run: Run) -> dict[str, Any]:
    """What the page says of a run that has not begun."""
    if run.status not in PENDING:
        return {}
    return {"queue_words": queueing.why_not_yet(run) if run.status == Status.QUEUED else "", "priorities": Priority.choices}


def run_queue(request: SignedInRequest, slug: str, run_id: object) -> HttpResponse:
    """Its place in the queue, fetched again every few seconds; the whole page once it has begun."""
    project = project_for(request.user, slug)
    run = _run(project, run_id)
    if run.status != Status.QUEUED:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return project_page(request, "runs/_queue.html", project, "runs", {"run": run, **_in_queue(run)})


@require_POST
def run_priority(request: SignedInRequest, slug: str, run_id: object) -> HttpResponse:
    run = _run(project_for(request.user, slug, can="build"), run_id)
    form = PriorityForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose low, normal or high.")
        return redirect(run)
    try:
        services.run_prioritise(run=run, priority=form.cleaned_data["priority"], by=request.user)
    except services.RunError as error:
        messages.error(request, str(error))
    return redirect(run)


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
    urgency = PriorityForm(request.POST or None, initial={"priority": run.priority})
    if request.method == "POST" and form.is_valid() and urgency.is_valid():
        priority = urgency.cleaned_data["priority"]
        try:
            emptied = dict.fromkeys(form.fields)  # what was cleared shall not keep its old value
            return redirect(services.run_rerun(run=run, by=request.user, params=emptied | params_from(form), priority=priority))
        except services.RunError as error:
            for field, text in error.fields.items():
                form.add_error(field if field in form.fields else None, text)
            if not error.fields:
                form.add_error(None, str(error))
    return project_page(request, "runs/rerun.html", project, "runs", {"run": run, "info": info, "form": form, "urgency": urgency})
