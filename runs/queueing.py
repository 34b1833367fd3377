"""Who is next: the order in which queued runs begin, and how many may work at once.

The ``gpu`` queue holds what is heavy. There a higher priority goes first; among equals the project with the fewest runs at work, then the
one that was served longest ago, then the older run. Other queues go by priority and age alone.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.core.paginator import Page
from django.db.models import Max

from engine import probes
from runs.models import ACTIVE, Priority, Run, Status

HEAVY = "gpu"
NEVER = datetime.min.replace(tzinfo=UTC)
AT_ONCE = 4  # runs of a light queue that the workers are told of at a time


@dataclass(frozen=True)
class Queued:
    """A queued run, as far as its place depends on it. ``project`` is None for what belongs to the whole studio.

    ``slots``: how many it takes, one for each of its processes.
    """

    run: object
    project: object
    priority: int
    since: datetime
    slots: int = 1


@dataclass(frozen=True)
class Place:
    """Where a queued run stands: ``number`` counts from 1. ``held``: its project has as many at work as it may."""

    run: object
    number: int
    held: bool
    slots: int = 1


def line_up(queued: Iterable[Queued], working: Mapping[object, int], served: Mapping[object, datetime], cap: int) -> list[Place]:
    """The order in which ``queued`` begin if slots become free one by one and nothing ends meanwhile.

    ``working``: project → its runs at work; ``served``: project → when it last had one begun; ``cap``: how many of a project may work at
    once, 0 for any number. Those whose project may have no more stand last.
    """
    lines: dict[object, list[Queued]] = defaultdict(list)
    for run in sorted(queued, key=_age, reverse=True):
        lines[run.project].append(run)  # its first one last, where it is cheap to take
    taken: Counter[object] = Counter(working)
    turn: dict[object, tuple[int, datetime]] = {project: (0, served.get(project, NEVER)) for project in lines}
    places: list[Place] = []

    def rank(project: object) -> tuple[bool, int, int, tuple[int, datetime], datetime, str]:
        first = lines[project][-1]
        return held(project), -first.priority, taken[project], turn[project], first.since, str(first.run)

    def held(project: object) -> bool:
        return bool(cap and project is not None and taken[project] >= cap)

    while lines:
        project = min(lines, key=rank)
        number, first = len(places) + 1, lines[project].pop()
        places.append(Place(first.run, number, held(project), first.slots))
        taken[project] += 1
        turn[project] = (number, NEVER)  # served just now: after all that were served before
        if not lines[project]:
            del lines[project]
    return places


def _age(run: Queued) -> tuple[int, datetime, str]:
    return -run.priority, run.since, str(run.run)


def places(queue: str = HEAVY) -> list[Place]:
    """The line of ``queue`` as it stands now. Three queries, however long it is."""
    waiting = Run.objects.filter(queue=queue, status=Status.QUEUED)
    rows = waiting.values_list("pk", "project_id", "priority", "created_at", "params__processes")
    queued = [Queued(run, project, priority, since, slots_of(processes)) for run, project, priority, since, processes in rows]
    if not queued:
        return []
    if queue != HEAVY:
        return [Place(run.run, number, False) for number, run in enumerate(sorted(queued, key=_age), 1)]
    at_work = Run.objects.filter(queue=queue, status__in=ACTIVE)
    working: Counter[object] = Counter(at_work.values_list("project_id", flat=True))
    begun = Run.objects.filter(queue=queue, project__in=waiting.values("project"), started_at__isnull=False).order_by()
    served = dict(begun.values_list("project_id").annotate(Max("started_at")))
    return line_up(queued, working, served, settings.PROJECT_RUNS_AT_ONCE)


def lock() -> None:
    """Hold the rows of the heavy queue until the transaction ends, so that claims are decided one after another.

    The waiting ones as well: where nothing runs yet, two claims would lock no row in common. What may begin is read in a query of its own
    afterwards, which sees what the one who held them before has done (SQLite has one writer anyway).
    """
    rows = Run.objects.select_for_update().filter(queue=HEAVY, status__in=[Status.QUEUED, *ACTIVE])
    list(rows.order_by("pk").values_list("pk"))


def may_begin(run_id: object, host: str) -> str | None:
    """The devices that a run of the heavy queue gets on ``host`` now; None where others go first or too few slots are free there.

    To be called after ``lock``, so that the answer still holds when the run is claimed.
    """
    at_work = Run.objects.filter(queue=HEAVY, host=host, status__in=ACTIVE).values_list("device", "params__processes")
    free = settings.GPU_SLOTS - sum(slots_of(processes) for _, processes in at_work)
    used = Counter(name for device, _ in at_work for name in device.split(","))
    for place in places():
        if place.held or place.slots > free:  # nobody passes the first, or one that takes many slots would never find them free
            return None
        if place.run == run_id:
            return ",".join(sorted(devices(), key=lambda name: used[name])[: place.slots])
        free -= place.slots
    return None


def slots_of(processes: object) -> int:
    """How many slots a run in so many processes takes; with fewer than it would need, all there are."""
    return max(1, min(processes, settings.GPU_SLOTS)) if isinstance(processes, int) else 1


def devices() -> list[str]:
    """What ``CUDA_VISIBLE_DEVICES`` calls each GPU that this process may use; empty where there is none."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return [str(number) for number in range(len(probes.gpus()))]
    return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]


def why_not_yet(run: Run) -> str:
    """Why the queued ``run`` has not begun, in words for its page."""
    place = next((place for place in places(run.queue) if place.run == run.pk), None)
    if place is None or run.queue != HEAVY:
        return "It begins as soon as a worker is free."
    if place.held:
        many = settings.PROJECT_RUNS_AT_ONCE
        runs = "one such run" if many == 1 else f"{many} such runs"
        return f"This project may have {runs} at work at a time. It begins when one of them has ended."
    if place.number == 1:
        return "It is the next to begin, as soon as a worker is free."
    ahead = "one other begins" if place.number == 2 else f"{place.number - 1} others begin"
    why = "higher priorities first" if run.priority == Priority.HIGH else "higher priorities first, and projects take turns"
    return f"Number {place.number} in the queue: {ahead} before it ({why})."


def tell_places(page: Page[Run]) -> Page[Run]:
    """Give each queued run of a page of runs its place in words, as ``queued_as``."""
    queued = [run for run in page if run.status == Status.QUEUED]
    found = {place.run: place for queue in {run.queue for run in queued} for place in places(queue)}
    for run in queued:
        if place := found.get(run.pk):
            words = "Its project has as many at work as it may" if place.held else f"Number {place.number} in the queue"
            run.queued_as = words  # type: ignore[attr-defined]
    return page
