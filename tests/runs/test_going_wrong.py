"""What can happen to a machine happens: engines killed at any moment, clocks set, inputs deleted, checkpoints damaged, the disk full."""

import os
import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection
from django.utils import timezone

from engine import manifest
from engine.events import EVENTS_FILE, read_from
from engine.spec import CHECKPOINTS
from projects.models import Project, User
from runs import supervising
from runs.artifacts import artifact_erase, artifact_path, artifact_register
from runs.curves import curves
from runs.models import Artifact, Run, RunEvent, Status
from runs.reconciling import reconcile
from runs.services import run_claim, run_create, run_resume, run_stop
from runs.store.checkpoints import checkpoint_folder, latest_checkpoint
from runs.supervising import supervise, this_host
from tests.materials import write_dataset
from tests.runs.conftest import end_engine, engine_process, fresh, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
Watched = Callable[[Run], threading.Thread]
Training = Callable[..., Run]
SMALL = {"batch_size": 2, "max_length": 64, "general_rows": 0, "checkpoint_every": 2, "eval_every": 100}


@pytest.fixture
def watched(transactional_db: None) -> Iterator[Watched]:
    """``watched(run)`` supervises it in a thread of this process, as a worker would in one of its own."""
    threads: list[threading.Thread] = []

    def work(run: Run) -> None:
        try:
            supervise(run.pk)
        finally:
            connection.close()

    def start(run: Run) -> threading.Thread:
        thread = threading.Thread(target=work, args=(run,), daemon=True)
        threads.append(thread)
        thread.start()
        return thread

    yield start
    for run in Run.objects.all():
        end_engine(run)
    for thread in threads:
        thread.join(60)


def assert_recorded(run: Run) -> None:
    """All that its engines said stands in the database, once, and the numbers have no gap."""
    for attempt in range(1, fresh(run).attempt + 1):
        said, _ = read_from(run.folder / str(attempt) / EVENTS_FILE, 0)
        kept = RunEvent.objects.filter(run=run, attempt=attempt).exclude(type__in=["status", "log"])
        assert [event.type for event in said if event.type != "log"] == [event.type for event in kept]
    seqs = list(RunEvent.objects.filter(run=run).values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))
    assert engine_process(run.pk) is None


# --- kill -9 ---


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_a_killed_engine_is_never_called_a_success_and_nothing_it_said_is_lost(quick_run: Run, watched: Watched, number: int) -> None:
    moment = random.SystemRandom().uniform(0, 2.5)
    print(f"killed {moment:.3f} s after it was there")
    watcher = watched(quick_run)
    wait_until(lambda: engine_process(quick_run.pk) is not None or not watcher.is_alive(), 60)
    time.sleep(moment)
    engine = engine_process(quick_run.pk)
    if engine is not None:
        engine.kill()
    watcher.join(60)
    run = fresh(quick_run)
    assert run.status in (Status.SUCCEEDED, Status.LOST)
    if run.status == Status.SUCCEEDED:  # it had finished before it was killed
        assert run.exit_code == 0
        manifest.verify(artifact_path(run.outputs.get(ready=True)))
        assert run.events.filter(type="finished").count() == 1
    else:
        assert run.error is not None and "signal 9" in run.error["message"]
        assert not run.outputs.exists()
    assert_recorded(run)


@pytest.mark.slow
def test_a_training_that_is_killed_again_and_again_at_any_moment_loses_no_step(
    training_run: Training, watched: Watched, owner: User
) -> None:
    steps, chance = 12, random.SystemRandom()
    run = training_run(**SMALL, max_steps=steps)
    for _ in range(3):
        watcher = watched(run)
        wait_until(lambda: engine_process(run.pk) is not None or fresh(run).is_ended, 60)
        time.sleep(moment := chance.uniform(2, 16))
        print(f"killed after {moment:.2f} s")
        if engine := engine_process(run.pk):
            engine.kill()
        watcher.join(300)
        if fresh(run).status == Status.LOST:  # a person goes on where the studio has given up
            run_resume(run=fresh(run), by=owner)
    while not fresh(run).is_ended:
        watched(run).join(300)
    done = fresh(run)
    assert done.status == Status.SUCCEEDED, done.error
    assert [step for step, _ in curves(done)["train_loss"]] == list(range(1, steps + 1))
    manifest.verify(artifact_path(done.outputs.get(ready=True)))
    assert_recorded(run)


# --- clocks ---


class Clock:
    """What every part of the studio in this process takes for the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.off = timedelta()
        real = timezone.now
        monkeypatch.setattr(timezone, "now", lambda: real() + self.off)

    def jump(self, hours: float) -> None:
        self.off += timedelta(hours=hours)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that is there while the engine is held before it hands over what it made."""
    hold = tmp_path / "held"
    monkeypatch.setenv("STUDIO_FAULT", "artifact.before_write")
    monkeypatch.setenv("STUDIO_FAULT_HOLD", str(hold))
    monkeypatch.setenv("STUDIO_FAULT_ONCE", str(tmp_path / "once"))
    return hold


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set_while_a_run_is_watched_makes_nobody_take_it_or_begin_it_again(
    quick_run: Run, watched: Watched, clock: Clock, held: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    monkeypatch.setattr("runs.reconciling.run_enqueue", lambda run, expires=None: supervise(run.pk))  # a second worker, at once
    watcher = watched(quick_run)
    wait_until(held.exists, 60)
    before = fresh(quick_run)
    clock.jump(hours)
    reconcile()
    now = fresh(quick_run)
    assert (now.supervisor, now.status, now.attempt) == (before.supervisor, Status.RUNNING, 1)
    held.unlink()
    watcher.join(60)
    done = fresh(quick_run)
    assert (done.status, done.attempt) == (Status.SUCCEEDED, 1)
    assert done.seconds is not None and done.seconds >= 0
    assert done.events.filter(type="started").count() == 1
    assert_recorded(done)


def test_a_supervisor_that_died_before_the_clock_was_set_back_is_followed_by_another(quick_run: Run, clock: Clock) -> None:
    assert run_claim(quick_run.pk, "dead", this_host())
    clock.jump(-1)  # its last heartbeat is of a time to come
    told: list[Any] = []
    supervising_again = pytest.MonkeyPatch()
    supervising_again.setattr("runs.reconciling.run_enqueue", lambda run, expires=None: told.append(run.pk))
    supervising_again.setattr(supervising, "START_PATIENCE", 0.3)
    reconcile()
    assert told == [quick_run.pk]
    supervise(quick_run.pk)
    supervising_again.undo()
    assert fresh(quick_run).status == Status.QUEUED, "nothing had begun: as if nobody had claimed it"


@pytest.fixture
def elsewhere(project: Project) -> Run:
    """A run at work on another machine."""
    run = Run.objects.create(project=project, stage="sft", title="Train", queue="gpu")
    assert run_claim(run.pk, "other", "another-machine")
    return fresh(run)


def test_a_clock_an_hour_ahead_loses_no_run_of_another_machine_that_lives(elsewhere: Run, clock: Clock) -> None:
    done = threading.Event()

    def beat() -> None:
        while not done.wait(0.2):
            Run.objects.filter(pk=elsewhere.pk).update(heartbeat_at=timezone.now() - clock.off)  # its own clock is right
        connection.close()

    beating = threading.Thread(target=beat)
    beating.start()
    clock.jump(1)
    reconcile()
    assert (fresh(elsewhere).status, fresh(elsewhere).attempt) == (Status.STARTING, 1)
    done.set()
    beating.join()
    reconcile()
    assert (fresh(elsewhere).status, fresh(elsewhere).attempt) == (Status.QUEUED, 2), "once it is silent it is given up"


def test_a_worker_that_slept_while_its_run_was_begun_by_another_starts_no_second_engine(quick_run: Run) -> None:
    assert run_claim(quick_run.pk, "sleeper", this_host())
    sleeper = fresh(quick_run)
    Run.objects.filter(pk=quick_run.pk).update(supervisor="another")
    supervising._begin(sleeper)
    assert fresh(quick_run).status == Status.STARTING
    assert engine_process(quick_run.pk) is None
    assert not (fresh(quick_run).attempt_folder / "shim.json").exists()


# --- inputs ---


def test_a_dataset_that_is_deleted_while_its_run_is_queued_ends_it_with_words(project: Project, owner: User, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    model = artifact_register(project=None, kind="hf-model", folder=folder)
    dataset = artifact_register(project=project, kind="dataset", folder=write_dataset(tmp_path / "dataset", 10, 2))
    run = run_create(project=project, stage="sft", params={}, inputs={"model": model, "dataset": dataset}, by=owner)
    merge = run_create(project=project, stage="merge", params={}, inputs={"model": model, "adapter": (run, "adapter")}, by=owner)
    artifact_erase(dataset)
    supervise(run.pk)
    failed = fresh(run)
    assert (failed.status, failed.error and failed.error["code"]) == (Status.FAILED, "input_gone")
    assert failed.error is not None and "was deleted while the run waited" in failed.error["message"] and failed.error["mend"]
    assert fresh(merge).status == Status.STOPPED
    assert engine_process(run.pk) is None


def test_an_input_whose_files_are_gone_ends_it_with_words_too(quick_run: Run) -> None:
    import shutil

    shutil.rmtree(artifact_path(Artifact.objects.get()))
    supervise(quick_run.pk)
    failed = fresh(quick_run)
    assert (failed.status, failed.error and failed.error["code"]) == (Status.FAILED, "input_gone")


# --- checkpoints and the disk ---


def checkpoint(run: Run, attempt: int, step: int) -> Path:
    folder = run.folder / str(attempt) / CHECKPOINTS / f"{step:08d}"
    folder.mkdir(parents=True)
    (folder / "state.pt").write_bytes(os.urandom(1000))
    manifest.write(folder, "checkpoint", facts={"step": step})
    return folder


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(elsewhere: Run) -> None:
    first, second = checkpoint(elsewhere, 1, 4), checkpoint(elsewhere, 1, 8)
    assert latest_checkpoint(elsewhere) == f"1/{CHECKPOINTS}/00000008"
    (second / "state.pt").write_bytes(b"half of it")
    assert latest_checkpoint(elsewhere) == f"1/{CHECKPOINTS}/00000004"
    (first / manifest.MANIFEST_FILE).unlink()
    assert latest_checkpoint(elsewhere) == ""


def test_a_checkpoint_that_is_gone_by_the_time_it_starts_is_passed_over_too(elsewhere: Run) -> None:
    import shutil

    first, second = checkpoint(elsewhere, 1, 4), checkpoint(elsewhere, 1, 8)
    elsewhere.resume_from = latest_checkpoint(elsewhere)
    shutil.rmtree(second)
    assert checkpoint_folder(elsewhere) == first
    shutil.rmtree(first)
    assert checkpoint_folder(elsewhere) is None
    assert fresh(elsewhere).resume_from == ""


@pytest.mark.slow
def test_a_training_whose_last_checkpoint_is_damaged_goes_on_from_the_one_before(
    training_run: Training, watched: Watched, owner: User
) -> None:
    run = training_run(**SMALL, max_steps=40, epochs=10)
    watcher = watched(run)
    wait_until(lambda: len(list(run.folder.glob(f"1/{CHECKPOINTS}/*"))) == 2, 240)
    run_stop(run=fresh(run), by=owner)
    watcher.join(300)
    before, last = sorted(run.folder.glob(f"1/{CHECKPOINTS}/*"))
    with open(last / "state.pt", "r+b") as file:
        file.seek(100)
        file.write(b"damaged")
    run_resume(run=fresh(run), by=owner)
    assert fresh(run).resume_from == before.relative_to(run.folder).as_posix()
    again = watched(run)
    wait_until(lambda: fresh(run).points.filter(attempt=2, metric="train_loss").exists() or not again.is_alive(), 240)
    assert fresh(run).points.filter(attempt=2, metric="train_loss").order_by("step")[0].step == int(before.name) + 1
    run_stop(run=fresh(run), by=owner)
    again.join(300)
    assert fresh(run).status == Status.STOPPED


@pytest.mark.slow
def test_a_disk_that_is_full_while_saving_costs_neither_the_checkpoint_before_nor_the_training(
    training_run: Training, watched: Watched, owner: User
) -> None:
    run = training_run(**SMALL, max_steps=8)
    watcher = watched(run)
    wait_until(lambda: fresh(run).events.filter(type="checkpoint", data__step=2).exists(), 240)
    engine = engine_process(run.pk)
    assert engine is not None
    fill_up(engine)
    watcher.join(300)
    failed = fresh(run)
    assert (failed.status, failed.error and failed.error["code"]) == (Status.FAILED, "disk")
    assert failed.events.filter(type="warning", data__code="checkpoint").exists(), "it trained on"
    kept = failed.events.filter(type="checkpoint").last()
    assert kept is not None and latest_checkpoint(failed).endswith(f"{kept.data['step']:08d}")
    assert not failed.outputs.exists()
    run_resume(run=failed, by=owner)
    watched(run).join(300)
    done = fresh(run)
    assert done.status == Status.SUCCEEDED, done.error
    assert [step for step, _ in curves(done)["train_loss"]] == list(range(1, 9))
    manifest.verify(artifact_path(done.outputs.get(ready=True)))


def fill_up(engine: psutil.Process) -> None:
    """From now on it can write what it says, and nothing as large as weights: the system refuses it as a full disk would."""
    resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (200_000, 200_000))
