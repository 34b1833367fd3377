"""A sweep's page, and what can be done there."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from engine import registry
from projects.guards import SignedInRequest, project_for
from projects.models import Project
from projects.pages import project_page
from training.comparing import FEWEST
from training.models import Sweep
from training.services import PipelineError
from training.sweep_selectors import Row, Summary, summary, sweep_charts, sweep_of
from training.sweeping import steps_left, sweep_go_on, sweep_stop


def _sweep(project: Project, key: UUID) -> Sweep:
    sweep = sweep_of(project, key)
    if sweep is None:
        raise Http404
    return sweep


def sweep(request: HttpRequest, slug: str, pk: UUID) -> HttpResponse:
    """Its combinations, curves and best. While runs remain the page fetches itself again: often without curves, which read far more than
    the rest, and now and then with them.
    """
    project = project_for(request.user, slug)
    one = _sweep(project, pk)
    found = summary(one)
    context: dict[str, Any] = {
        "sweep": one,
        "found": found,
        "method": registry.get(one.stage).title,
        "charts": [] if request.GET.get("part") == "rows" else sweep_charts(found),
        "compare": _compare(project, found),
        "best": [(row, _left(row)) for row in ([found.within] if found.within else found.best[:1])],
    }
    return project_page(request, "training/sweep.html", project, "runs", context)


def _compare(project: Project, found: Summary) -> str:
    """The address that compares those which have begun; empty while they are too few."""
    begun = [run for run in found.runs if run.started_at]
    if len(begun) < FEWEST:
        return ""
    query = QueryDict(mutable=True)
    query.setlist("run", [str(run.pk) for run in begun])
    return f"{reverse('training:compare', args=[project.slug])}?{query.urlencode()}"


def _left(row: Row) -> str:
    """What can still be done with a row's model, as the label of a button; empty where nothing can."""
    stages = [step["stage"] for step in steps_left(row.pipeline, row.made)] if row.made else []
    words = [word for stage, word in (("evaluate", "Evaluate it"), ("quantize", "make a small file of it")) if stage in stages]
    label = " and ".join(words)
    return label[:1].upper() + label[1:]


@require_POST
def stop(request: SignedInRequest, slug: str, pk: UUID) -> HttpResponse:
    project = project_for(request.user, slug, can="build")
    one = _sweep(project, pk)
    many = sweep_stop(sweep=one, by=request.user)
    runs = "1 run. What it has" if many == 1 else f"{many} runs. What they have"
    messages.success(request, f"Stopping {runs} is saved first." if many else "All had ended.")
    return redirect(one)


@require_POST
def go_on(request: SignedInRequest, slug: str, pk: UUID) -> HttpResponse:
    """Do what is left to do with the best: evaluate it, make a small file."""
    project = project_for(request.user, slug, can="build")
    one = _sweep(project, pk)
    row = next((row for row in summary(one).rows if str(row.run.pk) == request.POST.get("run")), None)
    if row is None:
        messages.error(request, "Choose one of the runs of this sweep.")
        return redirect(one)
    try:
        pipeline = sweep_go_on(sweep=one, run=row.run, by=request.user)
    except PipelineError as error:
        messages.error(request, str(error))
        return redirect(one)
    first = pipeline.runs.exclude(project=None).order_by("pipeline_steps__position").first()
    return redirect(first or one)
