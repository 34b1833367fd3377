"""Who may do what: the table of roles, as data."""

from django.db.models import TextChoices


class Role(TextChoices):
    VIEWER = "viewer", "Viewer"
    ANNOTATOR = "annotator", "Annotator"
    REVIEWER = "reviewer", "Reviewer"
    ENGINEER = "engineer", "Engineer"
    OWNER = "owner", "Owner"


# capability → the roles that have it
CAPABILITIES: dict[str, set[str]] = {
    "view": {Role.VIEWER, Role.ANNOTATOR, Role.REVIEWER, Role.ENGINEER, Role.OWNER},
    "annotate": {Role.ANNOTATOR, Role.REVIEWER, Role.ENGINEER, Role.OWNER},
    "review": {Role.REVIEWER, Role.OWNER},
    "build": {Role.ENGINEER, Role.OWNER},
    "own": {Role.OWNER},
}

CAPABILITY_WORDS = {
    "view": "see this project",
    "annotate": "write and submit pairs",
    "review": "approve pairs and rate answers",
    "build": "upload documents, launch runs and deploy",
    "own": "manage members, endpoints and deletion",
}


def may(role: str, can: str) -> bool:
    """Whether ``role`` has the capability ``can``. Raises ``KeyError`` for a capability that does not exist."""
    return role in CAPABILITIES[can]
