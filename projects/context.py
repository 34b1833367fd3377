"""What every page's shell shows: the rail, the projects, and work under way."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from projects.models import Project
from projects.notifications import unread_count
from projects.registries import provided, tabs
from projects.roles import may


def rail(project: Project, role: str, current: str) -> list[dict[str, Any]]:
    """The journey's entries a role may open, each with its state and count."""
    entries = []
    for tab in tabs():
        if not may(role, tab.can):
            continue
        state = tab.state(project)
        entries.append(
            {
                "key": tab.key,
                "title": tab.title,
                "icon": tab.icon,
                "url": reverse(tab.url_name, args=[project.slug]),
                "state": state.state,
                "count": state.count,
                "current": tab.key == current,
            }
        )
    return entries


def shell(request: HttpRequest) -> dict[str, Any]:
    """Lazy, so that a fragment that shows no shell pays for none of it."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {
        "my_projects": SimpleLazyObject(lambda: list(Project.objects.filter(memberships__user=user)[:30])),
        "unread": SimpleLazyObject(lambda: unread_count(user)),
        "running": SimpleLazyObject(lambda: [item for items in provided("running", user) for item in items]),
    }
