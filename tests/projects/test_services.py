"""Projects, invitations and members."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import AuditEvent, Invitation, Membership, Project, User
from projects.roles import Role
from projects.services import (
    ProjectError,
    invitation_accept,
    invitation_accept_anew,
    invitation_create,
    invitation_revoke,
    membership_remove,
    membership_set_role,
    project_create,
    project_delete,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def newcomer() -> User:
    return User.objects.create_user("nora@example.org", None)


def test_whoever_makes_a_project_owns_it(project: Project, owner: User) -> None:
    assert Membership.objects.get(project=project).role == Role.OWNER


def test_two_projects_of_one_name_have_two_addresses(owner: User) -> None:
    names = {project_create(name="Pumps & valves", by=owner).slug for _ in range(3)}
    assert names == {"pumps-valves", "pumps-valves-2", "pumps-valves-3"}


def test_an_invitation_works_once(project: Project, owner: User, newcomer: User) -> None:
    _, token = invitation_create(project=project, role="reviewer", by=owner)
    invitation_accept(token=token, user=newcomer)
    assert Membership.objects.get(project=project, user=newcomer).role == Role.REVIEWER
    with pytest.raises(ProjectError):
        invitation_accept(token=token, user=User.objects.create_user("late@example.org", None))


def test_an_invitation_expires_and_can_be_withdrawn(project: Project, owner: User, newcomer: User) -> None:
    _, token = invitation_create(project=project, role="viewer", by=owner)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ProjectError):
        invitation_accept(token=token, user=newcomer)
    second, token = invitation_create(project=project, role="viewer", by=owner)
    invitation_revoke(invitation=second, by=owner)
    with pytest.raises(ProjectError):
        invitation_accept(token=token, user=newcomer)


def test_an_invitation_never_raises_a_member_above_their_role(project: Project, owner: User, viewer: User) -> None:
    _, token = invitation_create(project=project, role="owner", by=owner)
    invitation_accept(token=token, user=viewer)
    assert Membership.objects.get(project=project, user=viewer).role == Role.VIEWER


def test_who_is_invited_makes_an_account_and_is_in(project: Project, owner: User, client: Client) -> None:
    _, token = invitation_create(project=project, role="annotator", by=owner)
    address = reverse("projects:invitation", args=[token])
    assert client.get(address).status_code == 200
    answer = client.post(address, {"email": "New@Example.org", "name": "Nia", "password": "a long enough one"})
    assert answer.status_code == 302
    assert Membership.objects.get(project=project, user__email="new@example.org").role == Role.ANNOTATOR


def test_a_project_always_keeps_an_owner(project: Project, owner: User, member: Callable[[str], User]) -> None:
    mine = Membership.objects.get(project=project, user=owner)
    with pytest.raises(ProjectError):
        membership_set_role(membership=mine, role="viewer", by=owner)
    with pytest.raises(ProjectError):
        membership_remove(membership=mine, by=owner)
    member("owner")
    membership_remove(membership=mine, by=owner)
    assert not Membership.objects.filter(project=project, user=owner).exists()


def test_deleting_a_project_leaves_a_line_in_the_log_of_the_instance(project: Project, owner: User) -> None:
    project_delete(project=project, by=owner)
    assert not Project.objects.filter(pk=project.pk).exists()
    assert AuditEvent.objects.get(action="project.delete").target == "Python reference"


def test_a_project_is_deleted_only_by_who_types_its_name(project: Project, owner: User, client_for: Callable[[User], Client]) -> None:
    address = reverse("projects:delete", args=[project.slug])
    assert client_for(owner).post(address, {"name": "something else"}).status_code == 422
    assert client_for(owner).post(address, {"name": "Python reference"}).status_code == 302


def test_the_page_of_projects_takes_as_many_queries_for_ten_as_for_one(owner: User, client_for: Callable[[User], Client]) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client, counts = client_for(owner), []
    for wanted in (1, 10):
        for number in range(wanted):
            project_create(name=f"Project {wanted} {number}", by=owner)
        client.get(reverse("projects:list"))
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse("projects:list"))
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_the_log_of_changed_settings_keeps_what_stood_there_before(
    project: Project, owner: User, client_for: Callable[[User], Client]
) -> None:
    new = {"name": "Pumps", "domain": "Pump service", "description": ""}
    client_for(owner).post(reverse("projects:settings", args=[project.slug]), new)
    event = AuditEvent.objects.get(action="project.update")
    assert event.before == {"name": "Python reference", "domain": "Python", "description": ""}
    assert event.after == new and Project.objects.get(pk=project.pk).name == "Pumps"


def test_an_invitation_that_was_withdrawn_meanwhile_makes_no_account(project: Project, owner: User) -> None:
    invitation, token = invitation_create(project=project, role="viewer", by=owner)
    invitation_revoke(invitation=invitation, by=owner)
    with pytest.raises(ProjectError):
        invitation_accept_anew(token=token, email="late@example.org", name="Lea", password="a long enough one")
    assert not User.objects.filter(email="late@example.org").exists()


def test_who_is_refused_is_told_what_their_role_lacks(project: Project, viewer: User, client_for: Callable[[User], Client]) -> None:
    client = client_for(viewer)
    assert "As viewer you cannot manage members" in client.get(reverse("projects:settings", args=[project.slug])).content.decode()
    assert "Only an administrator of this studio" in client.get(reverse("people")).content.decode()


@pytest.mark.parametrize(("name", "shown", "initials"), [("Ada Lovelace", "Ada Lovelace", "AL"), ("", "ada.byron@example.org", "AB")])
def test_the_top_bar_names_the_person(name: str, shown: str, initials: str, client_for: Callable[[User], Client]) -> None:
    page = client_for(User.objects.create_user("ada.byron@example.org", None, name=name)).get(reverse("projects:list")).content.decode()
    assert f"Signed in as {shown}" in page and f'aria-hidden="true">{initials}<' in page
