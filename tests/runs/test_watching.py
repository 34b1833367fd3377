"""What a supervisor does when a run cannot start, was given up, or has ended; without a model."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import OperationalError

from engine.spec import CHECKPOINTS, OUTPUTS, WORK
from projects.models import Project, User
from runs import processes, supervising
from runs.ingesting import TakenOver
from runs.models import Run, Status
from runs.services import run_claim, run_lose, run_stop
from runs.store.checkpoints import Uploads
from runs.supervising import supervise, this_host
from tests.materials import ROOT
from tests.runs.conftest import fresh

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def claimed(project: Project, owner: User) -> Run:
    """A training that this host has claimed; its attempt has a folder."""
    run = Run.objects.create(project=project, stage="sft", title="Train", queue="gpu", created_by=owner)
    run_claim(run.pk, "me", this_host())
    run.refresh_from_db()
    run.attempt_folder.mkdir(parents=True)
    return run


@pytest.fixture
def engine(claimed: Run) -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads a group of its own and stands for shim and engine of ``claimed``."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", str(claimed.attempt_folder)], start_new_session=True)
    shim = processes.Shim(pid=process.pid, started=psutil.Process(process.pid).create_time(), engine=process.pid)
    (claimed.attempt_folder / processes.SHIM_FILE).write_text(shim.model_dump_json())
    yield process
    process.kill()
    process.wait()


def refuse(error: Exception) -> Callable[[Run], dict[str, str]]:
    def environment(run: Run) -> dict[str, str]:
        raise error

    return environment


def test_a_run_that_cannot_start_ends_and_says_why(quick_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "engine_environment", refuse(LookupError("The embedder is not installed.")))
    supervise(quick_run.pk)
    run = fresh(quick_run)
    assert run.status == Status.FAILED
    assert run.error is not None and "The embedder is not installed." in run.error["message"]


def test_a_run_is_begun_again_when_only_the_database_was_away(quick_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "engine_environment", refuse(OperationalError("database is locked")))
    with pytest.raises(OperationalError):
        supervise(quick_run.pk)
    assert fresh(quick_run).status == Status.STARTING
    Run.objects.filter(pk=quick_run.pk).update(heartbeat_at=None)
    supervise(quick_run.pk)
    assert fresh(quick_run).status == Status.QUEUED


@pytest.mark.slow
def test_a_shim_that_is_slow_to_say_who_it_is_is_waited_for(quick_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        command = f"sleep 1; exec {shlex.join([sys.executable, '-m', 'engine.shim', str(folder)])}"
        with open(folder / "log.txt", "ab") as log:
            return subprocess.Popen(["sh", "-c", command], stdout=log, stderr=log, env=environment, cwd=ROOT, start_new_session=True)

    monkeypatch.setattr(processes, "start", slowly)
    monkeypatch.setattr(supervising, "START_PATIENCE", 0.2)
    supervise(quick_run.pk)
    assert fresh(quick_run).status == Status.SUCCEEDED


def test_who_dies_before_it_said_that_the_engine_runs_leaves_that_to_the_next(
    claimed: Run, engine: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(supervising, "run_transition", die)
        supervising._watch(fresh(claimed))
    Run.objects.filter(pk=claimed.pk).update(heartbeat_at=None)
    monkeypatch.setattr(supervising.time, "sleep", lambda _: engine.kill() or engine.wait())
    supervise(claimed.pk)
    assert "RUNNING" in [event.data["status"] for event in claimed.events.filter(type="status")]


@pytest.mark.parametrize("given_up", [{"status": Status.QUEUED, "attempt": 2, "supervisor": ""}, {"status": Status.LOST, "supervisor": ""}])
def test_the_engine_of_a_run_that_was_given_up_is_ended(claimed: Run, engine: subprocess.Popen[bytes], given_up: dict[str, Any]) -> None:
    mine = fresh(claimed)
    Run.objects.filter(pk=claimed.pk).update(**given_up)
    supervising._watch(mine)
    assert engine.wait(10) == -signal.SIGKILL


def test_the_engine_of_a_run_that_another_supervisor_watches_lives_on(claimed: Run, engine: subprocess.Popen[bytes]) -> None:
    mine = fresh(claimed)
    Run.objects.filter(pk=claimed.pk).update(supervisor="another")
    supervising._watch(mine)
    assert engine.poll() is None
    with pytest.raises(TakenOver):
        supervising._wait_for_end(mine, None, Uploads(mine))


def finish(run: Run, code: int) -> None:
    """As the shim leaves it."""
    dead = processes.Shim(pid=2**22, started=0.0, engine=2**22)
    (run.attempt_folder / processes.SHIM_FILE).write_text(dead.model_dump_json())
    (run.attempt_folder / processes.EXIT_FILE).write_text(f'{{"code": {code}}}')
    for name in (WORK, CHECKPOINTS, OUTPUTS):
        (run.attempt_folder / name / "part").mkdir(parents=True)


def left(run: Run) -> set[str]:
    return {name for name in (WORK, CHECKPOINTS, OUTPUTS) if (run.folder / "1" / name).exists()}


def test_a_failed_training_keeps_what_it_can_go_on_from_and_frees_the_rest(claimed: Run) -> None:
    finish(claimed, 1)
    supervising._watch(fresh(claimed))
    assert fresh(claimed).status == Status.FAILED
    assert left(claimed) == {CHECKPOINTS, OUTPUTS}


def test_a_cancelled_run_keeps_nothing_on_the_disk(claimed: Run) -> None:
    Run.objects.filter(pk=claimed.pk).update(cancelled=True)
    finish(claimed, 1)
    (claimed.attempt_folder / "log.txt").write_text("what it said")
    supervising._watch(fresh(claimed))
    assert fresh(claimed).status == Status.STOPPED
    assert left(claimed) == set()
    assert (claimed.attempt_folder / "log.txt").exists()


def test_an_engine_that_somebody_else_asked_to_stop_ends_stopped_without_its_outputs(quick_run: Run) -> None:
    run_claim(quick_run.pk, "me", this_host())
    run = fresh(quick_run)
    run.attempt_folder.mkdir(parents=True)
    finish(run, 10)
    supervising._watch(run)
    assert fresh(run).status == Status.STOPPED, fresh(run).error


@pytest.mark.parametrize(("code", "reason"), [(-signal.SIGTERM, "Stopped before it began"), (-signal.SIGKILL, "It did not stop in time")])
def test_a_stopped_run_says_how_it_ended(claimed: Run, owner: User, code: int, reason: str) -> None:
    run_stop(run=claimed, by=owner)
    finish(claimed, code)
    supervising._watch(fresh(claimed))
    assert fresh(claimed).status == Status.STOPPED
    assert reason in claimed.events.filter(type="status").last().data["reason"]  # type: ignore[union-attr]


def test_a_run_that_was_asked_to_stop_is_not_begun_again_when_its_machine_is_lost(claimed: Run, owner: User) -> None:
    run_stop(run=claimed, by=owner)
    run_lose(claimed, "The machine has not been heard of.")
    assert (fresh(claimed).status, fresh(claimed).attempt) == (Status.STOPPED, 1)
