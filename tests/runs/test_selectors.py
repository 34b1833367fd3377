"""What a run's page says of what it computes with."""

from collections.abc import Callable

import pytest
from django.test import Client

from projects.models import Project, User
from runs.models import Run, RunEvent
from runs.selectors import computed

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(project: Project, owner: User) -> Run:
    return Run.objects.create(project=project, stage="sft", title="Train", queue="gpu", created_by=owner)


def log(run: Run, seq: int, **data: str) -> None:
    RunEvent.objects.create(run=run, seq=seq, attempt=1, ts=0.0, type="log", data=data)


def test_a_run_says_what_its_latest_attempt_computes_with(run: Run, owner: User, client_for: Callable[[User], Client]) -> None:
    log(run, 1, message="Computed in bf16 on 2 processor cores", about="computing")
    log(run, 2, message="Computed in bf16 on NVIDIA H200", about="computing")
    log(run, 3, message="Going on after step 4")
    assert computed(run) == "in bf16 on NVIDIA H200"
    page = client_for(owner).get(run.get_absolute_url()).content.decode()
    assert "Computed in bf16 on NVIDIA H200." in page


def test_a_run_that_has_not_said_it_has_no_such_line(run: Run, owner: User, client_for: Callable[[User], Client]) -> None:
    log(run, 1, message="Reading the pairs")
    assert computed(run) == ""
    assert "Computed in" not in client_for(owner).get(run.get_absolute_url()).content.decode()
