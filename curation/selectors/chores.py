"""What pages show of chores."""

from django.db.models import F, Q

from curation.models import Chore
from curation.models.chore import LIVE
from projects.models import Project, User

MOST = 8  # shown at once


def chores_shown(project: Project, user: User) -> list[Chore]:
    """What is being done in the project, whoever asked for it; then how it ended what ``user`` asked for, until they have put that away.

    The latest first.
    """
    shown = Q(state__in=LIVE) | Q(by=user, seen_at=None)
    return list(
        Chore.objects.filter(shown, project=project)
        .select_related("by")
        .order_by(F("ended_at").desc(nulls_first=True), "-created_at")[:MOST]
    )
