"""The audit log: one function writes it."""

from typing import Any

from projects.models import AuditEvent, Project, User


def record(
    project: Project | None, actor: User | None, action: str, target: str = "", *, before: Any = None, after: Any = None
) -> AuditEvent:
    """Write that ``actor`` (None: the studio itself) did ``action`` ("noun.verb") to ``target``. No document text, no personal data."""
    return AuditEvent.objects.create(
        project=project,
        actor=actor,
        actor_name=str(actor)[:120] if actor else "studio",
        action=action,
        target=target[:200],
        before=before,
        after=after,
    )
