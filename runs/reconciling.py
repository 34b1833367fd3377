"""Every few seconds: find runs that nobody watches, nobody was told of, or that wait for what is there already."""

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from engine import registry
from runs.models import ACTIVE, ENDED, Run, Status
from runs.services import EXPIRES, queue_move_up, run_enqueue, run_lose, run_release
from runs.store import StoreAway
from runs.supervising import SECOND_LOOK, this_host

log = logging.getLogger(__name__)

# Times longer than for a run of this host: its own workers may come back and take it up. Where another machine can go on from the last
# checkpoint, less is lost by not waiting for them than by waiting
FOREIGN_PATIENCE = 20
SHARED_PATIENCE = 4


def reconcile() -> None:
    """Re-attach, re-announce, release. Every step is idempotent; two reconcilers do no harm."""
    unheard: list[Run] = []
    for run in _silent():
        if run.host == this_host() or not _given_up(run):
            run_enqueue(run, expires=EXPIRES)  # whichever worker of its host takes it
        else:
            unheard.append(run)
    if unheard:
        time.sleep(SECOND_LOOK)  # a clock that was set makes every heartbeat look old; one that lives has moved on since
    for run in unheard:
        if Run.objects.filter(pk=run.pk, supervisor=run.supervisor, heartbeat_at=run.heartbeat_at).exists():
            try:
                run_lose(run, f"The machine {run.host} has not been heard of since {run.heartbeat_at:%H:%M}.")
            except StoreAway as error:  # nobody knows yet from where to go on
                log.warning("Run %s of another machine waits: %s", run.pk, error)
    for run in Run.objects.filter(status=Status.WAITING, inputs__from_run__status__in=ENDED).distinct():
        run_release(run)
    for queue in Run.objects.filter(status=Status.QUEUED).values_list("queue", flat=True).distinct():
        full = Run.objects.filter(queue="gpu", host=this_host(), status__in=ACTIVE).count() >= settings.GPU_SLOTS
        if queue != "gpu" or not full or settings.ARTIFACT_STORE_URL:  # another machine may have room
            queue_move_up(queue, expires=EXPIRES)


def _silent() -> QuerySet[Run]:
    """Runs at work whose heartbeat looks old, or is of a time to come: then a clock was set."""
    now, patience = timezone.now(), timedelta(seconds=settings.RUN_HEARTBEAT_STALE_SECONDS)
    odd = Q(heartbeat_at__lt=now - patience) | Q(heartbeat_at__gt=now + patience) | Q(heartbeat_at=None)
    return Run.objects.filter(odd, status__in=ACTIVE)


def _given_up(run: Run) -> bool:
    """Whether a run of another machine has been silent for so long that the machine must be gone."""
    elsewhere = bool(settings.ARTIFACT_STORE_URL) and registry.get(run.stage).resumable
    patience = (SHARED_PATIENCE if elsewhere else FOREIGN_PATIENCE) * timedelta(seconds=settings.RUN_HEARTBEAT_STALE_SECONDS)
    return run.heartbeat_at is not None and run.heartbeat_at < timezone.now() - patience
