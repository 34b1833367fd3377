"""The first line of every view, consumer and download."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from projects.models import Membership, Project, User
from projects.roles import CAPABILITY_WORDS, may


class SignedInRequest(HttpRequest):
    """The request of a view behind the sign-in: its user is a person."""

    user: User  # type: ignore[assignment]


def project_for(user: Any, slug: str, can: str = "view") -> Project:
    """The project ``slug`` if ``user`` may do ``can`` in it; its ``.role`` is then the person's role.

    Raises ``Http404`` for who is no member (that the project exists is nobody else's business) and ``PermissionDenied`` for a
    member whose role may not.
    """
    if not user.is_authenticated:
        raise Http404("There is no such project.")
    membership = Membership.objects.select_related("project").filter(project__slug=slug, user=user).first()
    if membership is None:
        raise Http404("There is no such project, or you are not in it.")
    if not may(membership.role, can):
        raise PermissionDenied(f"As {membership.get_role_display().lower()} you cannot {CAPABILITY_WORDS[can]}. Ask an owner.")
    project = membership.project
    project.role = membership.role  # type: ignore[attr-defined]
    return project


def admin_only(user: Any) -> None:
    """Raises ``PermissionDenied`` unless ``user`` administers this instance."""
    if not (user.is_authenticated and user.is_superuser):
        raise PermissionDenied("Only an administrator of this studio may do that.")
