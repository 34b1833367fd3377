"""Celery's doors into the services: ids in, one service called."""

from uuid import UUID

from celery import shared_task

from runs.reconciling import reconcile
from runs.supervising import supervise


@shared_task
def run_supervise(run_id: str) -> None:
    supervise(UUID(run_id))


@shared_task
def runs_reconcile() -> None:
    reconcile()
