"""Celery's doors into the services: ids in, one service called."""

from typing import Any

from celery import shared_task

from projects.models import Project, User


@shared_task
def curation_raft(project_id: int, user_id: int, pairs: list[str], params: dict[str, Any]) -> None:
    from curation.services.raft import raft_run

    if project := Project.objects.filter(pk=project_id).first():
        raft_run(project=project, by=User.objects.filter(pk=user_id).first(), pairs=pairs, params=params)
