"""What pages and sockets read of runs."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from projects.models import Project, User
from runs.models import ACTIVE, PENDING, Artifact, Run, RunEvent, Status

SNAPSHOT_EVENTS = ("phase", "sample", "log", "checkpoint", "artifact", "warning", "error", "finished", "status")


def runs_of(project: Project, *, status: str = "", stage: str = "", text: str = "") -> QuerySet[Run]:
    """The project's runs, newest first."""
    runs = Run.objects.filter(project=project).select_related("created_by", "project")
    if status:
        runs = runs.filter(status=status)
    if stage:
        runs = runs.filter(stage=stage)
    if text:
        runs = runs.filter(title__icontains=text)
    return runs


def events_after(run_id: UUID, after: int, limit: int = 1000) -> list[dict[str, Any]]:
    """Events with ``seq > after``, oldest first."""
    return [event.as_dict() for event in RunEvent.objects.filter(run_id=run_id, seq__gt=after)[:limit]]


def snapshot_events(run: Run, limit: int = 200) -> list[RunEvent]:
    """What the page shows in words: the last ``limit`` events but metrics and progress, oldest first."""
    return list(run.events.filter(type__in=SNAPSHOT_EVENTS).order_by("-seq")[:limit])[::-1]


def computed(run: Run) -> str:
    """What the latest attempt computes with, as its engine said; empty where it has not said it."""
    said = run.events.filter(type="log", data__about="computing").order_by("-seq").values_list("data__message", flat=True).first()
    return (said or "").removeprefix("Computed ")


@dataclass(frozen=True)
class Ancestor:
    """A node of a lineage tree."""

    artifact: Artifact
    depth: int
    role: str


def ancestors(artifact: Artifact) -> list[Ancestor]:
    """Everything ``artifact`` was made from, nearest first, each once; one query a generation."""
    found, seen, generation, depth = [Ancestor(artifact, 0, "")], {artifact.pk}, [artifact], 0
    while generation:
        depth += 1
        runs = [item.produced_by_id for item in generation if item.produced_by_id]
        rows = Artifact.objects.filter(used_by__run__in=runs).select_related("produced_by").distinct()
        generation = [item for item in rows if item.pk not in seen]
        roles = dict(Run.objects.filter(pk__in=runs).values_list("inputs__artifact", "inputs__role"))
        seen |= {item.pk for item in generation}
        found += [Ancestor(item, depth, roles.get(item.pk, "")) for item in generation]
    return found


def running_for(user: User) -> list[dict[str, Any]]:
    """Live runs in the user's projects, for the ring in the top bar."""
    runs = Run.objects.filter(project__memberships__user=user, status__in=ACTIVE).select_related("project")
    return [{"title": f"{run.project}: {run.title}", "url": run.get_absolute_url(), "percent": run.percent} for run in runs]


def run_counts(project: Project) -> dict[str, int]:
    """How many runs there are, and how many are live or pending."""
    return Run.objects.filter(project=project).aggregate(
        all=Count("pk"),
        live=Count("pk", filter=Q(status__in=[*ACTIVE, *PENDING])),
        failed=Count("pk", filter=Q(status__in=[Status.FAILED, Status.LOST])),
    )
