"""Runs survive whoever dies: the real engine on the real model, killed in every way."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from engine import manifest
from engine.events import read_from
from projects.models import User
from runs import processes
from runs.artifacts import artifact_path
from runs.curves import curves
from runs.models import ACTIVE, MetricPoint, Run, RunEvent, Status
from runs.reconciling import reconcile
from runs.services import run_cancel, run_resume, run_stop
from tests.runs.conftest import engine_process, fresh, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
Supervisor = Callable[..., subprocess.Popen[bytes]]
Training = Callable[..., Run]


def at_step(run: Run, step: int) -> Callable[[], bool]:
    return lambda: MetricPoint.objects.filter(run=run, metric="train_loss", step__gte=step).exists()


def ended(run: Run) -> Callable[[], bool]:
    return lambda: fresh(run).is_ended


def assert_complete(run: Run, steps: int) -> None:
    """It succeeded; every step has one loss; event numbers have no gap; the adapter is whole and there once."""
    run = fresh(run)
    assert run.status == Status.SUCCEEDED, run.error
    assert [step for step, _ in curves(run)["train_loss"]] == list(range(1, steps + 1))
    seqs = list(RunEvent.objects.filter(run=run).values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))
    assert run.last_seq == len(seqs)
    adapter = run.outputs.get(ready=True)
    manifest.verify(artifact_path(adapter))


def test_it_trains_and_keeps_everything_that_was_said(training_run: Training, supervisor: Supervisor) -> None:
    run = training_run(max_steps=6)
    assert supervisor(run).wait(300) == 0
    assert_complete(run, 6)
    said, _ = read_from(fresh(run).attempt_folder / "events.jsonl", 0)
    kept = RunEvent.objects.filter(run=run).exclude(type="status")
    assert [event.type for event in said] == [event.type for event in kept]


def test_two_supervisors_at_once_make_one_run(quick_run: Run, supervisor: Supervisor) -> None:
    both = [supervisor(quick_run), supervisor(quick_run)]
    assert [process.wait(120) for process in both] == [0, 0]
    run = fresh(quick_run)
    assert (run.status, run.attempt) == (Status.SUCCEEDED, 1)
    assert run.events.filter(type="started").count() == 1
    assert run.outputs.count() == 1


def test_a_killed_engine_goes_on_from_its_checkpoint(training_run: Training, supervisor: Supervisor) -> None:
    run = training_run()
    watcher = supervisor(run)
    wait_until(at_step(run, 5))
    engine = engine_process(run.pk)
    assert engine is not None
    engine.kill()
    assert watcher.wait(120) == 0
    run = fresh(run)
    assert (run.status, run.attempt) == (Status.QUEUED, 2)
    assert run.resume_from.startswith("1/checkpoints/")
    assert supervisor(run).wait(300) == 0
    assert_complete(run, 16)
    first_again = MetricPoint.objects.filter(run=run, metric="train_loss", attempt=2).order_by("step").first()
    assert first_again is not None and first_again.step > 1, "the second attempt began anew"


def test_a_killed_group_without_exit_code_goes_on_too(training_run: Training, supervisor: Supervisor) -> None:
    run = training_run()
    watcher = supervisor(run)
    wait_until(at_step(run, 4))
    shim = processes.shim_of(fresh(run).attempt_folder)
    assert shim is not None
    os.killpg(shim.pid, signal.SIGKILL)
    assert watcher.wait(120) == 0
    assert fresh(run).attempt == 2
    assert supervisor(run).wait(300) == 0
    assert_complete(run, 16)


@pytest.mark.parametrize("victim", ["worker", "engine", "group"])
def test_whoever_is_killed_at_a_random_moment_nothing_is_lost(training_run: Training, supervisor: Supervisor, victim: str) -> None:
    moment = random.SystemRandom().uniform(0, 12)  # seconds: from starting to saving
    print(f"{victim} killed {moment:.2f} s after the engine began")
    run = training_run()
    watcher = supervisor(run)
    wait_until(lambda: engine_process(run.pk) is not None)
    time.sleep(moment)
    engine, shim = engine_process(run.pk), processes.shim_of(fresh(run).attempt_folder)
    if victim == "worker":
        watcher.kill()
        watcher.wait()
        wait_until(lambda: fresh(run).is_ended or _silent(run))
    elif engine is not None and victim == "engine":
        engine.kill()
    elif shim is not None:
        os.killpg(shim.pid, signal.SIGKILL)
    watcher.wait(120)
    while not fresh(run).is_ended:
        assert supervisor(run).wait(300) == 0
    assert_complete(run, 16)
    assert fresh(run).attempt == 1 or victim != "worker", "the engine must live on without its worker"


def _silent(run: Run) -> bool:
    from runs.supervising import stale

    return stale(fresh(run))


FAULTS_OF_TRAINING = ["checkpoint.before_write", "checkpoint.after_write", "checkpoint.before_rename", "checkpoint.after_rename"]
FAULTS_OF_ANY_ENGINE = [
    "event.before_write", "event.after_write",
    "artifact.before_write", "artifact.after_write", "artifact.before_rename", "artifact.after_rename",
]  # fmt: skip
FAULTS_OF_THE_SUPERVISOR = [
    "ingest.before_row", "ingest.after_row", "store.before_rename", "store.after_rename", "store.before_row", "store.after_row",
]  # fmt: skip


@pytest.mark.parametrize("point", FAULTS_OF_TRAINING)
def test_a_training_that_dies_at_a_named_point_is_followed_by_one_that_finishes(
    training_run: Training, supervisor: Supervisor, point: str, tmp_path: Path
) -> None:
    run = training_run(max_steps=4, checkpoint_every=2, eval_every=4)
    fault = {"STUDIO_FAULT": point, "STUDIO_FAULT_ONCE": str(tmp_path / "died")}
    supervisor(run, **fault).wait(300)
    assert (tmp_path / "died").exists(), "the fault was never reached"
    assert (fresh(run).status, fresh(run).attempt) == (Status.QUEUED, 2)
    assert supervisor(run, **fault).wait(300) == 0
    assert_complete(run, 4)


@pytest.mark.parametrize("point", FAULTS_OF_ANY_ENGINE)
def test_an_engine_that_cannot_be_resumed_and_dies_ends_lost_with_the_reason(quick_run: Run, supervisor: Supervisor, point: str) -> None:
    assert supervisor(quick_run, STUDIO_FAULT=point).wait(120) == 0
    run = fresh(quick_run)
    assert run.status == Status.LOST
    assert run.error is not None and "signal 9" in run.error["message"]
    assert not run.outputs.filter(ready=True).exists()


@pytest.mark.parametrize("point", FAULTS_OF_THE_SUPERVISOR)
def test_a_supervisor_that_dies_at_a_named_point_is_followed_by_one_that_finishes(
    quick_run: Run, supervisor: Supervisor, point: str, tmp_path: Path
) -> None:
    fault = {"STUDIO_FAULT": point, "STUDIO_FAULT_ONCE": str(tmp_path / "died")}
    assert supervisor(quick_run, **fault).wait(120) == -signal.SIGKILL
    assert fresh(quick_run).status in ACTIVE
    wait_until(lambda: _silent(quick_run))
    assert supervisor(quick_run, **fault).wait(120) == 0
    run = fresh(quick_run)
    assert (run.status, run.attempt) == (Status.SUCCEEDED, 1)
    assert run.outputs.filter(ready=True).count() == 1
    said, _ = read_from(run.attempt_folder / "events.jsonl", 0)
    assert [event.type for event in said] == list(RunEvent.objects.filter(run=run).exclude(type="status").values_list("type", flat=True))
    seqs = list(RunEvent.objects.filter(run=run).values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize(("point", "attempts"), [("event.after_write", 2), ("ingest.after_row", 1)])  # an engine needs nobody to watch it
def test_a_training_that_is_killed_while_it_records_has_every_point_once(
    training_run: Training, supervisor: Supervisor, point: str, attempts: int, tmp_path: Path
) -> None:
    died = tmp_path / "died"
    fault = {"STUDIO_FAULT": point, "STUDIO_FAULT_ONCE": str(died)}
    run = training_run(max_steps=6, checkpoint_every=2, batch_size=2, max_length=64)
    died.touch()  # nothing happens while it is there
    watcher = supervisor(run, **fault)
    wait_until(at_step(run, 3))
    died.unlink()  # whoever comes to the point next dies there
    wait_until(died.exists, 60)
    watcher.wait(120)
    while not fresh(run).is_ended:
        wait_until(lambda: fresh(run).status == Status.QUEUED or _silent(run))
        assert supervisor(run, **fault).wait(300) == 0
    assert_complete(run, 6)
    assert fresh(run).attempt == attempts
    for attempt in range(1, attempts + 1):
        said, _ = read_from(run.folder / str(attempt) / "events.jsonl", 0)
        kept_events = RunEvent.objects.filter(run=run, attempt=attempt).exclude(type="status")
        assert [event.type for event in said] == [event.type for event in kept_events]
        points = [(name, event.data["step"]) for event in said if event.type == "metric" for name in event.data["values"]]
        kept = MetricPoint.objects.filter(run=run, attempt=attempt).values_list("metric", "step")
        assert sorted(points) == sorted(kept) and points


def test_a_run_stopped_while_training_keeps_a_partial_adapter_and_can_go_on(
    training_run: Training, supervisor: Supervisor, owner: User
) -> None:
    run = training_run()
    watcher = supervisor(run)
    wait_until(at_step(run, 3))
    run_stop(run=fresh(run), by=owner)
    assert watcher.wait(120) == 0
    stopped = fresh(run)
    assert stopped.status == Status.STOPPED
    assert stopped.outputs.get(ready=True).facts["partial"] is True
    run_resume(run=stopped, by=owner)
    assert supervisor(run).wait(300) == 0
    done = fresh(run)
    assert done.status == Status.SUCCEEDED
    assert [step for step, _ in curves(done)["train_loss"]] == list(range(1, 17))


def test_a_run_stopped_while_starting_never_trains(training_run: Training, supervisor: Supervisor, owner: User) -> None:
    run = training_run()
    watcher = supervisor(run)
    wait_until(lambda: fresh(run).status != Status.QUEUED)
    run_stop(run=fresh(run), by=owner)
    assert watcher.wait(120) == 0
    assert fresh(run).status == Status.STOPPED
    assert engine_process(run.pk) is None


def test_a_cancelled_run_ends_at_once_and_keeps_nothing(training_run: Training, supervisor: Supervisor, owner: User) -> None:
    run = training_run()
    watcher = supervisor(run)
    wait_until(at_step(run, 2))
    run_cancel(run=fresh(run), by=owner)
    assert watcher.wait(15) == 0
    cancelled = fresh(run)
    assert (cancelled.status, cancelled.cancelled) == (Status.STOPPED, True)
    assert not cancelled.outputs.exists()


def test_an_engine_that_will_not_stop_is_killed_after_the_grace(training_run: Training, supervisor: Supervisor, owner: User) -> None:
    run = training_run(max_steps=400, epochs=40)
    watcher = supervisor(run, STUDIO_STOP_GRACE="3")
    wait_until(at_step(run, 2))
    engine = engine_process(run.pk)
    assert engine is not None
    engine.suspend()  # a suspended process does not act on SIGTERM
    run_stop(run=fresh(run), by=owner)
    assert watcher.wait(30) == 0
    stopped = fresh(run)
    assert stopped.status == Status.STOPPED
    assert "did not stop in time" in stopped.events.filter(type="status").last().data["reason"]
    assert engine_process(run.pk) is None


def test_it_never_takes_the_process_of_another_for_its_own(tmp_path: Path) -> None:
    (tmp_path / processes.SHIM_FILE).write_text(
        f'{{"pid": {os.getpid()}, "started": {psutil.Process().create_time() - 100}, "engine": {os.getpid()}}}'
    )
    assert not processes.group_alive(tmp_path)
    processes.kill_group(tmp_path)  # this very process must survive it


def test_the_reconciler_tells_the_workers_of_a_run_nobody_watches(training_run: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[UUID] = []
    monkeypatch.setattr("runs.reconciling.run_enqueue", lambda run, expires=None: told.append(run.pk))
    run = training_run()
    from runs.services import run_claim
    from runs.supervising import this_host

    run_claim(run.pk, "dead", this_host())
    reconcile()
    assert told == []
    Run.objects.filter(pk=run.pk).update(heartbeat_at=None)
    reconcile()
    assert told == [run.pk]
