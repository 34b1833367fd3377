"""What pages of people and projects read."""

from django.db.models import Count, Q, QuerySet

from projects.models import AuditEvent, Invitation, Membership, Project, User


def projects_of(user: User) -> QuerySet[Project]:
    """The projects ``user`` is in, latest activity first, with ``.people``."""
    return Project.objects.filter(pk__in=user.projects.values("pk")).annotate(people=Count("memberships"))


def members_of(project: Project) -> QuerySet[Membership]:
    return project.memberships.select_related("user")


def invitations_of(project: Project) -> QuerySet[Invitation]:
    """Open invitations: not used, not withdrawn."""
    return project.invitations.filter(used_at=None, revoked_at=None).select_related("created_by")


def audit_of(project: Project, text: str = "") -> QuerySet[AuditEvent]:
    """The project's log, newest first; ``text`` narrows to actions, targets and people containing it."""
    events = project.audit_events.all()
    if text:
        events = events.filter(Q(action__icontains=text) | Q(target__icontains=text) | Q(actor_name__icontains=text))
    return events
