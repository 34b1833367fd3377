"""From events.jsonl into the database: rows, byte offset and snapshot in one short transaction, so that nothing is lost or doubled."""

from typing import Any

from django.db import transaction
from django.db.models import F

from engine.events import EVENTS_FILE, Event, read_from
from engine.faults import fault
from runs.doorbell import ring
from runs.models import MetricPoint, Run, RunEvent
from runs.rollups import points_store

BATCH = 500


class TakenOver(Exception):
    """Another supervisor has this run now."""


def ingest(run: Run) -> int:
    """Bring what the attempt of ``run`` has newly said into the database; returns the number of events.

    ``run.offset`` moves along. Raises ``TakenOver`` when the row is not this supervisor's any more.
    """
    count = 0
    while True:
        events, offset = read_from(run.attempt_folder / EVENTS_FILE, run.offset)
        if offset == run.offset:
            return count
        _store(run, events, offset)
        count += len(events)


def _store(run: Run, events: list[Event], offset: int) -> None:
    fault("ingest.before_row")
    with transaction.atomic():
        mine = Run.objects.filter(pk=run.pk, supervisor=run.supervisor, attempt=run.attempt, offset=run.offset)
        if not mine.update(offset=offset, last_seq=F("last_seq") + len(events), **_snapshot(events)):
            raise TakenOver(str(run.pk))
        last = Run.objects.values_list("last_seq", flat=True).get(pk=run.pk)
        first = last - len(events) + 1
        rows = [
            RunEvent(run_id=run.pk, seq=first + index, attempt=run.attempt, ts=event.ts, type=event.type, data=event.data)
            for index, event in enumerate(events)
        ]
        RunEvent.objects.bulk_create(rows, batch_size=BATCH)
        points_store(_points(run, events))
        if events:
            transaction.on_commit(lambda: ring(run.pk, last))
    fault("ingest.after_row")
    run.offset, run.last_seq = offset, last


def _points(run: Run, events: list[Event]) -> list[MetricPoint]:
    return [
        MetricPoint(run_id=run.pk, attempt=run.attempt, metric=name, step=event.data["step"], value=value)
        for event in events
        if event.type == "metric"
        for name, value in event.data["values"].items()
        if value is not None
    ]


def _snapshot(events: list[Event]) -> dict[str, Any]:
    """The columns of Run that the latest of ``events`` change."""
    found: dict[str, Any] = {}
    for event in events:
        if event.type == "phase":
            found |= {"phase": event.data["title"][:120], "progress": {}}
        elif event.type == "progress":
            found["progress"] = event.data
        elif event.type == "error":
            found["error"] = event.data
        elif event.type == "finished":
            found["summary"] = event.data["summary"]
    return found
