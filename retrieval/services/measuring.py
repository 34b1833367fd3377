"""Measuring search on the project's own questions, in the background, with progress and a way to stop it."""

import logging
import random
from dataclasses import asdict
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from projects import audit
from projects.models import Project, User
from retrieval.embedding import EmbedderAway
from retrieval.measuring import measure, questions_of
from retrieval.models import Measurement, MeasurementStatus
from retrieval.stores import StoreError

log = logging.getLogger(__name__)

MOST = 200  # questions asked; more would not move the figures much, only take longer
SEED = 7  # the same questions each time, so that two measurements can be compared
STALE = timedelta(seconds=90)
KEPT_MISSES = 50
LIVE = [MeasurementStatus.WAITING, MeasurementStatus.RUNNING]


class MeasuringError(Exception):
    """It cannot be measured; the message says why."""


def measurement_start(*, project: Project, by: User) -> Measurement:
    """Queue a measurement, or answer the one at work. Raises ``MeasuringError`` when there is nothing to ask."""
    count = min(len(questions_of(project)), MOST)
    if not count:
        raise MeasuringError("There are no questions with evidence yet. Generate or write pairs first.")
    with transaction.atomic():
        Measurement.objects.filter(project=project, status__in=LIVE, beat_at__lt=timezone.now() - STALE).update(
            status=MeasurementStatus.FAILED, error="The worker that measured went away. Measure again."
        )
        if found := Measurement.objects.filter(project=project, status__in=LIVE).first():
            return found
        made = Measurement.objects.create(project=project, created_by=by, total=count)
        audit.record(project, by, "search.measure", f"measurement {made.pk}", after={"questions": count})
        transaction.on_commit(lambda: _tell(made))
    return made


def _tell(measurement: Measurement) -> None:
    from retrieval.tasks import retrieval_measure

    try:
        retrieval_measure.apply_async([str(measurement.pk)], queue="default", retry=False)
    except Exception as error:  # kombu and redis raise their own kinds
        log.warning("The workers could not be told to measure: %s", error)
        _end(measurement.pk, MeasurementStatus.FAILED, error="The workers cannot be reached. Try again in a moment.")


def measurement_stop(*, measurement: Measurement, by: User) -> None:
    if _end(measurement.pk, MeasurementStatus.STOPPED):
        audit.record(measurement.project, by, "search.measure_stop", f"measurement {measurement.pk}")


def measurement_run(measurement_id: UUID) -> None:
    """Ask the questions. Called by a worker; a second worker with the same id does nothing."""
    mine = Measurement.objects.filter(pk=measurement_id, status=MeasurementStatus.WAITING)
    if not mine.update(status=MeasurementStatus.RUNNING, beat_at=timezone.now()):
        return
    measurement = Measurement.objects.select_related("project").get(pk=measurement_id)
    questions = questions_of(measurement.project)
    if len(questions) > MOST:
        questions = random.Random(SEED).sample(sorted(questions), MOST)
    running = Measurement.objects.filter(pk=measurement_id, status=MeasurementStatus.RUNNING)
    try:
        found = measure(
            measurement.project,
            questions,
            tick=lambda done: bool(running.update(done=done, total=len(questions), beat_at=timezone.now())),
        )
    except (EmbedderAway, StoreError) as error:
        _end(measurement_id, MeasurementStatus.FAILED, error=str(error)[:500])
        return
    except Exception:
        log.exception("Measurement %s", measurement_id)
        _end(
            measurement_id,
            MeasurementStatus.FAILED,
            error="Something went wrong while measuring. The worker's log has the details.",
        )
        return
    misses = [asdict(miss) for miss in found.misses[:KEPT_MISSES]]
    _end(
        measurement_id,
        MeasurementStatus.SUCCEEDED,
        results=found.as_dict() | {"missed": len(found.misses)},
        misses=misses,
    )


def _end(measurement_id: UUID, after: MeasurementStatus, **fields: object) -> bool:
    return bool(Measurement.objects.filter(pk=measurement_id, status__in=LIVE).update(status=after, beat_at=timezone.now(), **fields))
