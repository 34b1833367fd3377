"""Telling people what needs them, in the page."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.utils import timezone

from projects.models import Membership, Notification, Project, User
from projects.roles import Role


def notify(*, people: Iterable[User], project: Project | None, key: str, tone: str, title: str, text: str, url: str) -> None:
    """Tell ``people`` once of what ``key`` names, however often this is called. ``tone``: good, warning or bad."""
    Notification.objects.bulk_create(
        [
            Notification(user=user, project=project, key=key, tone=tone, title=title[:250], text=text[:500], url=url)
            for user in dict.fromkeys(people)
        ],
        ignore_conflicts=True,
    )


def concerned(project: Project | None, starter: User | None) -> list[User]:
    """Who is told of what ``starter`` has started: they themselves while they may see the project, and its owners."""
    if project is None:
        return [starter] if starter else []
    members = Membership.objects.filter(Q(role=Role.OWNER) | Q(user=starter), project=project)
    return [member.user for member in members.select_related("user")]


def notifications_of(user: User) -> QuerySet[Notification]:
    """Newest first, with their projects. What belongs to a project the person has left is not shown."""
    visible = Q(project=None) | Q(project__in=user.projects.values("pk"))
    return Notification.objects.filter(visible, user=user).select_related("project")


def unread_count(user: User) -> int:
    return notifications_of(user).filter(read_at=None).count()


def notifications_read(*, user: User, url: str = "") -> None:
    """Mark the person's notifications as read: all of them, or those that lead to ``url``."""
    unread = Notification.objects.filter(user=user, read_at=None, **({"url": url} if url else {}))
    if unread.exists():  # a write that changes nothing would still wait for others that write
        unread.update(read_at=timezone.now())
