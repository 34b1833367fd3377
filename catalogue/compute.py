"""What the Compute page shows of this machine and its work. Light: nothing here imports a model library."""

import platform
from importlib import metadata
from typing import Any

from django.conf import settings
from django.db.models import Count, Q

from engine import probes, registry
from projects.models import User
from runs.models import ACTIVE, PENDING, Priority, Run, Status
from runs.queueing import HEAVY, places

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "llama-cpp-python",
    "sentence-transformers",
    "lancedb",
    "lm-eval",
    "Django",
    "celery",
)
WAITING_SHOWN = 30


def machine() -> dict[str, Any]:
    """Cores, memory, disk, GPUs."""
    memory, disk = probes.memory(), probes.disk(settings.STUDIO_HOME)
    return {
        "cores": probes.cores(),
        "memory": {**memory, "used": memory["total"] - memory["available"]},
        "disk": {**disk, "used": disk["total"] - disk["free"]},
        "gpus": probes.gpus(),
    }


def versions() -> list[tuple[str, str]]:
    found = [("Python", platform.python_version())]
    for name in PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append((name, "not installed"))
    return found


def stages() -> list[dict[str, Any]]:
    """Which stages this machine can run, and what the others lack."""
    return [{"title": info.title, "queue": info.queue, "missing": info.missing()} for info in registry.all_stages()]


def queue_counts() -> list[dict[str, Any]]:
    """A row a queue: how many run, wait and are done."""
    counted = Run.objects.values("queue").annotate(
        running=Count("pk", filter=Q(status__in=ACTIVE)),
        queued=Count("pk", filter=Q(status=Status.QUEUED)),
        waiting=Count("pk", filter=Q(status=Status.WAITING)),
    )
    by_name: dict[str, dict[str, Any]] = {row["queue"]: dict(row) for row in counted.order_by()}
    nothing: dict[str, Any] = {"running": 0, "queued": 0, "waiting": 0}
    return [by_name.get(name, {"queue": name, **nothing}) for name in sorted({"default", "gpu", *by_name})]


def _at_work_then_in_line() -> list[Run]:
    """The first WAITING_SHOWN: what works, then the queue that is heavy in the order in which it moves up, then all else by age."""
    found = Run.objects.filter(status__in=[*ACTIVE, *PENDING]).select_related("project")
    line = {place.run: place.number for place in places()}
    at_work = found.filter(status__in=ACTIVE).order_by("created_at")[:WAITING_SHOWN]
    queued = sorted(found.filter(pk__in=list(line)[:WAITING_SHOWN]), key=lambda run: line.get(run.pk, 0))
    others = found.filter(status__in=PENDING).exclude(queue=HEAVY, status=Status.QUEUED).order_by("created_at")[:WAITING_SHOWN]
    return [*at_work, *queued, *others][:WAITING_SHOWN]


def live_runs(user: User) -> list[dict[str, Any]]:
    """What runs and waits on this machine. Other people's projects show as work, without their names; an
    administrator sees whose it is.
    """
    runs = _at_work_then_in_line()
    mine = set(user.projects.values_list("pk", flat=True))
    rows = []
    for run in runs:
        own = run.project_id in mine
        project = "This studio" if run.project is None else str(run.project) if own or user.is_superuser else "Another project"
        title = run.title if own or run.project is None else registry.get(run.stage).title
        rows.append(
            {
                "run": run,
                "title": title,
                "project": project,
                "url": run.get_absolute_url() if own and run.project else "",
                "priority": "" if run.priority == Priority.NORMAL else f"{run.get_priority_display()} priority",
            }
        )
    return rows


def instance_runs() -> list[Run]:
    """The latest runs that belong to no project, such as imports: they have no page of their own."""
    return list(Run.objects.filter(project=None).select_related("created_by").order_by("-created_at")[:8])


def workers() -> list[dict[str, Any]]:
    """Celery's workers that answer within half a second: name and queues. An empty list when Redis is away."""
    from celery import current_app

    try:
        answers = current_app.control.inspect(timeout=0.5).active_queues() or {}
    except Exception:  # kombu and redis raise their own kinds
        return []
    return [{"name": name, "queues": sorted(queue["name"] for queue in queues)} for name, queues in sorted(answers.items())]


def inference_answers() -> bool:
    """Whether the server that models are served by says it is well."""
    import httpx

    address = settings.SERVE_URL.removesuffix("/").removesuffix("/v1") + "/health"
    try:
        return bool(httpx.get(address, timeout=0.5).status_code < 500)
    except httpx.HTTPError:
        return False
