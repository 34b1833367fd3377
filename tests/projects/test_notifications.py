"""The bell: who is told of what, once, and until it is read."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from projects.models import Membership, Notification, Project, User
from projects.notifications import concerned, notifications_of, notifications_read, notify, unread_count

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User], Client]


def tell(project: Project | None, *people: User, key: str = "run/1/1", title: str = "It failed", url: str = "/account/") -> None:
    notify(people=people, project=project, key=key, tone="bad", title=title, text="Why.", url=url)


def test_it_is_told_once_however_often_it_is_written(project: Project, owner: User, engineer: User) -> None:
    tell(project, owner, owner)
    notifications_read(user=owner)
    tell(project, owner, engineer)
    assert (unread_count(owner), unread_count(engineer), Notification.objects.count()) == (0, 1, 2)


def test_the_starter_and_the_owners_are_concerned_and_nobody_who_has_left(
    project: Project, owner: User, engineer: User, viewer: User, outsider: User
) -> None:
    assert concerned(project, engineer) == sorted([owner, engineer], key=lambda user: (user.name, user.email))
    assert concerned(project, owner) == [owner]
    assert concerned(project, outsider) == concerned(project, None) == [owner]
    assert concerned(None, engineer) == [engineer]


def test_who_has_left_a_project_reads_no_more_of_it(project: Project, engineer: User) -> None:
    tell(project, engineer)
    tell(None, engineer, key="own", title="An import failed")
    Membership.objects.filter(user=engineer).delete()
    assert [one.title for one in notifications_of(engineer)] == ["An import failed"]
    assert unread_count(engineer) == 1


def test_opening_it_leads_on_and_reads_what_leads_there(project: Project, owner: User, client_for: ClientFor) -> None:
    tell(project, owner)
    tell(project, owner, key="run/1/2")
    tell(project, owner, key="run/2/1", url="/people/")
    client = client_for(owner)
    assert 'aria-label="Notifications, 3 unread"' in client.get(reverse("notification_bell")).content.decode()
    found = Notification.objects.get(key="run/1/1")
    answer = client.get(reverse("notification_open", args=[found.pk]))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/account/")
    assert unread_count(owner) == 1
    client.post(reverse("notifications_read"))
    assert 'aria-label="Notifications"' in client.get(reverse("notification_bell")).content.decode()


def test_nobody_opens_what_was_told_to_another(project: Project, owner: User, engineer: User, client_for: ClientFor) -> None:
    tell(project, owner)
    found = Notification.objects.get()
    assert client_for(engineer).get(reverse("notification_open", args=[found.pk])).status_code == 404
    assert unread_count(owner) == 1


def test_the_list_shows_what_was_told_as_text_in_the_same_number_of_queries(project: Project, owner: User, client_for: ClientFor) -> None:
    client, address = client_for(owner), reverse("notifications")
    assert "Nothing needs you" in client.get(address).content.decode()
    tell(project, owner, title="<b>It</b> failed")
    with CaptureQueriesContext(connection) as few:
        page = client.get(address).content.decode()
    assert "&lt;b&gt;It&lt;/b&gt; failed" in page and "Mark all as read" in page
    for number in range(40):
        tell(project, owner, key=str(number))
    with CaptureQueriesContext(connection) as many:
        assert "1 of 2" in client.get(address).content.decode()
    assert len(many) == len(few)
