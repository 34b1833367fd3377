"""Celery's doors into the services: ids in, one service called."""

from typing import Any
from uuid import UUID

from celery import shared_task

from projects.models import Project, User


@shared_task
def curation_raft(project_id: int, user_id: int, pairs: list[str], params: dict[str, Any]) -> None:
    from curation.services.raft import raft_run

    if project := Project.objects.filter(pk=project_id).first():
        raft_run(project=project, by=User.objects.filter(pk=user_id).first(), pairs=pairs, params=params)


@shared_task
def curation_chore(chore_id: str) -> None:
    import curation.services  # noqa: F401 (registers what can be done)
    from curation.services.chores import chore_run

    chore_run(UUID(chore_id))


@shared_task
def curation_chores_reconcile() -> None:
    from curation.services.chores import chores_reconcile
    from curation.services.export_chores import exports_expire

    chores_reconcile()
    exports_expire()
