"""Every few seconds: find runs that nobody watches, nobody was told of, or that wait for what is there already."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from runs.models import ACTIVE, ENDED, Run, Status
from runs.services import EXPIRES, queue_move_up, run_enqueue, run_lose, run_release
from runs.supervising import this_host

FOREIGN_PATIENCE = 20  # times longer than for a run of this host: its own workers may come back and take it up


def reconcile() -> None:
    """Re-attach, re-announce, release. Every step is idempotent; two reconcilers do no harm."""
    silent = timezone.now() - timedelta(seconds=settings.RUN_HEARTBEAT_STALE_SECONDS)
    for run in Run.objects.filter(status__in=ACTIVE).filter(Q(heartbeat_at__lt=silent) | Q(heartbeat_at=None)):
        if run.host == this_host():
            run_enqueue(run, expires=EXPIRES)
        elif run.heartbeat_at and run.heartbeat_at < timezone.now() - FOREIGN_PATIENCE * timedelta(
            seconds=settings.RUN_HEARTBEAT_STALE_SECONDS
        ):
            run_lose(run, f"The machine {run.host} has not been heard of since {run.heartbeat_at:%H:%M}.")
    for run in Run.objects.filter(status=Status.WAITING, inputs__from_run__status__in=ENDED).distinct():
        run_release(run)
    for queue in Run.objects.filter(status=Status.QUEUED).values_list("queue", flat=True).distinct():
        if queue != "gpu" or Run.objects.filter(queue="gpu", host=this_host(), status__in=ACTIVE).count() < settings.GPU_SLOTS:
            queue_move_up(queue, expires=EXPIRES)
