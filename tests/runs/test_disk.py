"""Room on the disk: checkpoints of ended runs are kept within a budget, and a run that does not find what it needs says so."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from engine.spec import CHECKPOINTS
from projects.models import Project
from runs import disk
from runs.models import Run, Status
from runs.services import run_can_resume, run_claim, run_resume
from runs.supervising import supervise

pytestmark = pytest.mark.django_db
KB = 1000


@pytest.fixture
def ended(project: Project) -> Callable[..., Run]:
    """A run that ended some hours ago and has checkpoints of so many bytes, in as many attempts as are named."""

    def make(hours: int, *bytes: int, status: str = Status.FAILED) -> Run:
        run = Run.objects.create(
            project=project, stage="sft", title="Train", queue="gpu", status=status, ended_at=timezone.now() - timedelta(hours=hours)
        )
        for attempt, many in enumerate(bytes, 1):
            folder = run.folder / str(attempt) / CHECKPOINTS / "00000004"
            folder.mkdir(parents=True)
            (folder / "state.pt").write_bytes(os.urandom(many))
        return run

    return make


@pytest.fixture(autouse=True)
def roomy(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RUN_ROOT = tmp_path / "runs"
    settings.CHECKPOINT_BUDGET_BYTES, settings.DISK_RESERVE_BYTES = 10 * KB, KB
    monkeypatch.setattr(disk, "_free", lambda: 1000 * KB)


def kept(run: Run) -> bool:
    return bool(list(run.folder.glob(f"*/{CHECKPOINTS}/*/state.pt")))


def test_over_the_budget_the_checkpoints_of_the_run_that_ended_first_go_and_its_page_says_so(ended: Callable[..., Run]) -> None:
    newest, oldest, middle = ended(1, 4 * KB), ended(9, 3 * KB, 3 * KB), ended(5, 4 * KB)
    assert disk.checkpoints_tidy() == 6 * KB
    assert [kept(run) for run in (oldest, middle, newest)] == [False, True, True]
    oldest.refresh_from_db()
    assert oldest.events.get().data["message"] == disk.REMOVED
    assert oldest.last_seq == 1
    assert run_can_resume(oldest), "from the start"
    assert disk.checkpoints_tidy() == 0


def test_where_the_disk_is_short_they_go_until_there_is_room(ended: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    old, older, new = ended(5, 3 * KB), ended(9, 3 * KB), ended(1, 3 * KB)
    monkeypatch.setattr(disk, "_free", lambda: (3 + 3 * sum(not kept(run) for run in (old, older, new))) * KB)
    disk.checkpoints_tidy(need=7 * KB)
    assert [kept(run) for run in (older, old, new)] == [False, False, True]


def test_what_is_at_work_or_queued_keeps_its_own(ended: Callable[..., Run], settings: Any) -> None:
    settings.CHECKPOINT_BUDGET_BYTES = 0
    runs = [ended(9, KB, status=status) for status in (Status.RUNNING, Status.QUEUED, Status.STARTING)]
    assert disk.checkpoints_tidy() == 0
    assert all(map(kept, runs))


def test_a_run_that_goes_on_meanwhile_keeps_them(ended: Callable[..., Run], settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHECKPOINT_BUDGET_BYTES = 0
    run = ended(9, KB)
    found = disk._kept()
    run_resume(run=run, by=None)
    monkeypatch.setattr(disk, "_kept", lambda: found)
    assert disk.checkpoints_tidy() == 0
    assert kept(run)


def test_what_a_killed_process_left_is_removed(ended: Callable[..., Run]) -> None:
    run = ended(1, KB)
    folder = next(run.folder.glob(f"*/{CHECKPOINTS}"))
    folder.rename(folder.with_name(disk.GONE))
    disk.checkpoints_tidy()
    assert not list(run.folder.glob("*/*"))


def test_a_run_that_needs_more_than_the_disk_has_does_not_begin_and_says_why(
    ended: Callable[..., Run], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = ended(9, 3 * KB)
    monkeypatch.setattr(disk, "provided", lambda kind, run: [None, 5_000_000])
    run = Run.objects.create(project=project, stage="sft", title="Train", queue="gpu")
    supervise(run.pk)
    run.refresh_from_db()
    assert run.status == Status.FAILED and run.error is not None
    assert run.error["code"] == "disk"
    assert "5.0 MB" in run.error["message"] and "1.0 MB" in run.error["message"] and run.error["mend"]
    assert not kept(old), "what could be made room of was"
    assert run_can_resume(run)


def test_a_run_whose_need_is_not_known_is_not_held_up(project: Project) -> None:
    run = Run.objects.create(project=project, stage="sft", title="Train", queue="gpu")
    assert run_claim(run.pk, "worker", "here")
    disk.make_room_for(run)
