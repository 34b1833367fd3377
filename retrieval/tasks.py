"""Celery's doors into the services: ids in, one service called."""

from uuid import UUID

from celery import shared_task

from projects.models import Project


@shared_task
def retrieval_ingest_waiting(project_id: int) -> None:
    from retrieval.services import ingest_waiting

    if project := Project.objects.filter(pk=project_id).first():
        ingest_waiting(project, settle=True)


@shared_task
def retrieval_measure(measurement_id: str) -> None:
    from retrieval.services.measuring import measurement_run

    measurement_run(UUID(measurement_id))
