"""Which ends of a run people are told of."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from projects.models import Notification, Project, User
from projects.notifications import unread_count
from runs.models import Run, RunEvent, Status
from runs.notifying import LONG, run_end_notify
from runs.services import after_end, run_claim, run_end, run_lose

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(project: Project, engineer: User) -> Run:
    made = Run.objects.create(project=project, stage="sft", title="Train it", queue="gpu", created_by=engineer)
    assert run_claim(made.pk, "worker", "here")
    return Run.objects.get(pk=made.pk)


def said(run: Run, type: str, **data: Any) -> None:
    last = RunEvent.objects.filter(run=run).count() + 1
    RunEvent.objects.create(run=run, seq=last, attempt=run.attempt, ts=0, type=type, data=data)
    Run.objects.filter(pk=run.pk).update(last_seq=last)


def told() -> list[str]:
    return sorted(f"{one.user.name}: {one.title}" for one in Notification.objects.select_related("user"))


def test_a_failure_is_told_to_who_started_it_and_to_the_owners(run: Run, owner: User, engineer: User, viewer: User) -> None:
    run_end(run.pk, Status.FAILED, error={"code": "diverged", "message": "The loss became nan at step 7."})
    assert told() == ["Engineer: “Train it” failed", "Olivia: “Train it” failed"]
    one = Notification.objects.get(user=engineer)
    assert (one.text, one.url, one.tone) == ("The loss became nan at step 7.", run.get_absolute_url(), "bad")
    after_end(Run.objects.get(pk=run.pk))  # as when two supervisors end it
    assert len(told()) == 2


def test_a_lost_run_is_told_only_when_the_studio_does_not_go_on_by_itself(run: Run) -> None:
    for _ in range(2):
        run_lose(Run.objects.get(pk=run.pk), "killed")
        assert told() == []
        assert run_claim(run.pk, "worker", "here")
    run_lose(Run.objects.get(pk=run.pk), "killed")
    assert told() == ["Engineer: “Train it” was lost", "Olivia: “Train it” was lost"]


def test_a_further_attempt_that_fails_is_told_again(run: Run, engineer: User) -> None:
    run_end(run.pk, Status.FAILED)
    Run.objects.filter(pk=run.pk).update(attempt=2)
    run_end_notify(Run.objects.get(pk=run.pk))
    assert Notification.objects.filter(user=engineer).count() == 2


def test_what_was_forgotten_is_told_and_comes_before_that_it_is_done(run: Run) -> None:
    said(run, "warning", code="memory", message="A step did not fit.")
    said(run, "warning", code="forgetting", message="At step 4 the loss on general texts is 0.300 above where it began.")
    said(run, "finished", seconds=LONG + 1, summary={})
    run_end(run.pk, Status.SUCCEEDED)
    assert told()[0] == "Engineer: “Train it” forgot more than its budget allows"
    assert Notification.objects.first().text.startswith("At step 4")  # type: ignore[union-attr]


@pytest.mark.parametrize(("seconds", "people"), [(LONG - 1, 0), (LONG + 61, 2)])
def test_the_end_of_a_long_run_is_told_and_that_of_a_short_one_is_not(run: Run, seconds: float, people: int) -> None:
    said(run, "finished", seconds=seconds, summary={})
    run_end(run.pk, Status.SUCCEEDED)
    assert len(told()) == people
    assert all("has finished" in line for line in told())


def test_stopping_it_oneself_is_no_news(run: Run) -> None:
    run_end(run.pk, Status.STOPPED)
    assert told() == []


def test_a_failed_import_that_belongs_to_no_project_is_told_to_who_began_it(owner: User) -> None:
    run = Run.objects.create(project=None, stage="import_base", title="Import", queue="gpu", created_by=owner)
    assert run_claim(run.pk, "worker", "here")
    run_end(run.pk, Status.FAILED)
    assert Notification.objects.get().url == "/compute/"
    assert unread_count(owner) == 1


def test_opening_the_page_of_the_run_reads_it(run: Run, owner: User, client_for: Callable[[User], Client]) -> None:
    run_end(run.pk, Status.FAILED)
    assert unread_count(owner) == 1
    assert client_for(owner).get(run.get_absolute_url()).status_code == 200
    assert unread_count(owner) == 0
