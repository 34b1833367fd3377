"""What is done to people and projects."""

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from projects import audit
from projects.models import Invitation, Membership, Project, SignInLink, User
from projects.registries import deletion_hooks, provided
from projects.roles import Role

INVITATION_DAYS = 7
SIGN_IN_LINK_MINUTES = 60


class ProjectError(Exception):
    """Something a person asked for cannot be done; the message says why and what to do."""


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def project_create(*, name: str, by: User, domain: str = "", description: str = "") -> Project:
    """A new project with ``by`` as its owner. Its slug is made from the name and is never reused while the project stands."""
    base = slugify(name)[:70] or "project"
    slug, number = base, 2
    while Project.objects.filter(slug=slug).exists():
        slug, number = f"{base}-{number}", number + 1
    project = Project.objects.create(name=name.strip(), slug=slug, domain=domain.strip(), description=description.strip(), created_by=by)
    Membership.objects.create(project=project, user=by, role=Role.OWNER)
    audit.record(project, by, "project.create", project.name)
    return project


@transaction.atomic
def project_update(*, project: Project, by: User, name: str, domain: str, description: str) -> Project:
    after = {"name": name.strip(), "domain": domain.strip(), "description": description.strip()}
    stored = Project.objects.filter(pk=project.pk)  # a form that was checked has written into ``project`` already
    before = stored.values(*after).get()
    stored.update(**after)
    audit.record(project, by, "project.update", after["name"], before=before, after=after)
    project.refresh_from_db(fields=list(after))
    return project


def project_delete(*, project: Project, by: User) -> None:
    """Remove the project with its rows, vectors and files. The instance's own log keeps that it was there.

    Raises ``ProjectError``, before anything is removed, while something in it must end first.
    """
    for obstacle in (text for texts in provided("deletion_obstacles", project) for text in texts):
        raise ProjectError(obstacle)
    for hook in deletion_hooks():
        hook(project)
    with transaction.atomic():
        name = project.name
        project.delete()
        audit.record(None, by, "project.delete", name)


def project_touch(project: Project) -> None:
    """Note that something happened in the project, for the order of the projects' page."""
    Project.objects.filter(pk=project.pk).update(last_activity_at=timezone.now())


@transaction.atomic
def invitation_create(*, project: Project, role: str, by: User, email: str = "") -> tuple[Invitation, str]:
    """An invitation and its token, which is shown this once and not kept."""
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        project=project,
        role=Role(role),
        email=email.strip().lower(),
        token_sha256=_sha256(token),
        created_by=by,
        expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
    )
    audit.record(project, by, "invitation.create", str(invitation.pk), after={"role": role})
    return invitation, token


def invitation_find(token: str) -> Invitation | None:
    """The invitation behind ``token`` if it can still be used."""
    return (
        Invitation.objects.select_related("project")
        .filter(token_sha256=_sha256(token), used_at=None, revoked_at=None, expires_at__gt=timezone.now())
        .first()
    )


@transaction.atomic
def invitation_accept(*, token: str, user: User) -> Project:
    """Make ``user`` a member. Raises ``ProjectError`` when the link is used, revoked or expired; a member keeps their role."""
    invitation = invitation_find(token)
    taken = invitation and Invitation.objects.filter(pk=invitation.pk, used_at=None, revoked_at=None).update(
        used_at=timezone.now(), used_by=user
    )
    if not invitation or not taken:
        raise ProjectError("This invitation has been used, withdrawn or has expired. Ask for a new one.")
    Membership.objects.get_or_create(project=invitation.project, user=user, defaults={"role": invitation.role})
    audit.record(invitation.project, user, "invitation.accept", str(invitation.pk), after={"role": invitation.role})
    return invitation.project


@transaction.atomic
def invitation_accept_anew(*, token: str, email: str, name: str, password: str) -> tuple[User, Project]:
    """Make an account for who was invited, and a member of them; neither when the invitation cannot be used any more."""
    user = User.objects.create_user(email, password, name=name)
    return user, invitation_accept(token=token, user=user)


@transaction.atomic
def invitation_revoke(*, invitation: Invitation, by: User) -> None:
    if Invitation.objects.filter(pk=invitation.pk, used_at=None, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record(invitation.project, by, "invitation.revoke", str(invitation.pk))


def _keep_an_owner(project: Project, but: Membership) -> None:
    if not project.memberships.select_for_update().filter(role=Role.OWNER).exclude(pk=but.pk).exists():
        raise ProjectError("A project needs an owner. Make somebody else an owner first.")


@transaction.atomic
def membership_set_role(*, membership: Membership, role: str, by: User) -> None:
    """Raises ``ProjectError`` when it would leave the project without an owner."""
    if membership.role == Role.OWNER and role != Role.OWNER:
        _keep_an_owner(membership.project, membership)
    before, membership.role = membership.role, Role(role)
    membership.save(update_fields=["role"])
    audit.record(membership.project, by, "member.role", f"user {membership.user_id}", before=before, after=role)


@transaction.atomic
def membership_remove(*, membership: Membership, by: User) -> None:
    """Raises ``ProjectError`` when it would leave the project without an owner."""
    if membership.role == Role.OWNER:
        _keep_an_owner(membership.project, membership)
    audit.record(membership.project, by, "member.remove", f"user {membership.user_id}", before=membership.role)
    membership.delete()


def sign_in_link_create(user: User) -> str:
    """A token that signs ``user`` in once, within the hour."""
    token = secrets.token_urlsafe(32)
    expires = timezone.now() + timedelta(minutes=SIGN_IN_LINK_MINUTES)
    SignInLink.objects.create(user=user, token_sha256=_sha256(token), expires_at=expires)
    return token


def sign_in_link_find(token: str) -> SignInLink | None:
    """The link behind ``token`` if it can still be used."""
    found = SignInLink.objects.select_related("user").filter(token_sha256=_sha256(token))
    return found.filter(used_at=None, expires_at__gt=timezone.now(), user__is_active=True).first()


def sign_in_link_use(token: str) -> User | None:
    """The person the token signs in, or None when it was used, has expired or never was. Uses it up."""
    link = sign_in_link_find(token)
    if link and SignInLink.objects.filter(pk=link.pk, used_at=None).update(used_at=timezone.now()):
        return link.user
    return None


def first_owner_ensure(email: str) -> User:
    """The instance's first administrator: made if there is nobody yet, else the oldest active one."""
    user = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    return user or User.objects.create_superuser(email, None, name="Owner")


@transaction.atomic
def person_update(*, person: User, by: User, is_active: bool, is_superuser: bool) -> None:
    """What an administrator changes about a person, on the instance's own log."""
    before = {"is_active": person.is_active, "is_superuser": person.is_superuser}
    person.is_active, person.is_superuser, person.is_staff = is_active, is_superuser, is_superuser
    person.save(update_fields=["is_active", "is_superuser", "is_staff"])
    audit.record(
        None, by, "person.update", f"user {person.pk}", before=before, after={"is_active": is_active, "is_superuser": is_superuser}
    )
