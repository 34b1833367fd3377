"""Pages that compare trainings. Those that start one are in ``launch_views``."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from projects.guards import project_for
from projects.models import Project
from projects.pages import project_page
from runs.models import Run
from training.comparing import FEWEST, MOST, comparable, comparison, run_names

OFFERED = 100


def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Trainings side by side, as many as ``MOST``: curves of chosen metrics over one another, settings that differ, scores."""
    project = project_for(request.user, slug)
    runs = list(comparable(project)[:OFFERED])
    chosen = _chosen(project, request.GET.getlist("run"))
    if len(chosen) > MOST:
        messages.error(request, f"At most {MOST} runs can be compared at once; the newest {MOST} are shown.")
        chosen = chosen[:MOST]
    context: dict[str, Any] = {"runs": runs, "chosen_ids": {run.pk for run in chosen}, "fewest": FEWEST, "most": MOST}
    if len(chosen) >= FEWEST:
        names = run_names(chosen)
        view: dict[str, Any] = {"metrics": request.GET.getlist("metric"), "over": request.GET.get("over", "")}
        context |= {"chosen": [(run, names[run.pk]) for run in chosen], **comparison(chosen, names, **view)}
        context |= _switch(request, context["params"])
    return project_page(request, "training/compare.html", project, "runs", context)


def _chosen(project: Project, wanted: list[str]) -> list[Run]:
    """Those of ``wanted`` that can be compared, newest first; also older ones than the page offers, which a link may name."""
    keys = {key for text in wanted if (key := _uuid(text))}
    return list(comparable(project).filter(pk__in=keys)[: MOST + 1]) if keys else []


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _switch(request: HttpRequest, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows of settings that are shown: those that differ, or all; and the address of the other choice."""
    every = request.GET.get("settings") == "all"
    other = request.GET.copy()
    other.pop("settings", None)
    if not every:
        other["settings"] = "all"
    differing = [row for row in rows if row["differs"]]
    switch = f"?{other.urlencode()}#settings"
    return {"shown": rows if every else differing, "every": every, "alike": len(rows) - len(differing), "switch": switch}
