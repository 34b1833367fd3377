"""A stop or a cancel that arrives while something is being saved: the real engine, or its supervisor, is held at that very moment."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest
from engine.events import EVENTS_FILE, read_from
from engine.spec import CHECKPOINTS
from projects.models import User
from runs import processes
from runs.artifacts import artifact_path
from runs.curves import curves
from runs.models import Artifact, Run, RunEvent, Status
from runs.services import latest_checkpoint, run_can_resume, run_cancel, run_resume, run_stop
from tests.runs.conftest import engine_process, fresh, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
Supervisor = Callable[..., subprocess.Popen[bytes]]
Training = Callable[..., Run]

CHECKPOINT_POINTS = ["checkpoint.before_write", "checkpoint.before_rename"]
ARTIFACT_POINTS = ["artifact.before_write", "artifact.before_rename"]


class Hold:
    """Holds the first process that comes to ``point``."""

    def __init__(self, folder: Path) -> None:
        self.file, self.once = folder / "held", folder / "once"

    def at(self, point: str) -> dict[str, str]:
        return {"STUDIO_FAULT": point, "STUDIO_FAULT_HOLD": str(self.file), "STUDIO_FAULT_ONCE": str(self.once)}

    def reached(self, watcher: subprocess.Popen[bytes]) -> None:
        wait_until(lambda: self.file.exists() or watcher.poll() is not None, 120, "the hold was never reached")
        assert self.file.exists(), "the run ended without coming to the hold"

    def release(self) -> None:
        self.file.unlink()


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    return Hold(tmp_path)


def asked(run: Run) -> None:
    """Wait until the held engine has got the request."""
    wait_until(lambda: "Asked to stop" in processes.log_tail(run.attempt_folder), 30, "the engine was not asked to stop")


def ready(run: Run) -> list[Artifact]:
    return list(run.outputs.filter(ready=True).order_by("attempt"))


def assert_all_is_whole(run: Run) -> None:
    """What can be seen is as its hashes say; all that was said was recorded, once; no process is left."""
    run = fresh(run)
    for folder in [*run.folder.glob(f"*/{CHECKPOINTS}/*"), *map(artifact_path, ready(run))]:
        manifest.verify(folder)
    assert not run.outputs.filter(ready=False).exists()
    for attempt in range(1, run.attempt + 1):
        said, _ = read_from(run.folder / str(attempt) / EVENTS_FILE, 0)
        kept = RunEvent.objects.filter(run=run, attempt=attempt).exclude(type="status")
        assert [(event.type, event.data) for event in said] == [(event.type, event.data) for event in kept]
    seqs = list(RunEvent.objects.filter(run=run).values_list("seq", flat=True))
    assert seqs == list(range(1, run.last_seq + 1))
    assert engine_process(run.pk) is None


def assert_it_goes_on(run: Run, supervisor: Supervisor, by: User, *, after: int, steps: int) -> None:
    """Resumed, the training of ``steps`` steps goes on after step ``after`` and ends complete."""
    run_resume(run=fresh(run), by=by)
    assert supervisor(run).wait(300) == 0
    done = fresh(run)
    assert (done.status, done.attempt) == (Status.SUCCEEDED, 2), done.error
    assert done.resume_from == f"1/{CHECKPOINTS}/{after:08d}"
    assert [step for step, _ in curves(done)["train_loss"]] == list(range(1, steps + 1))
    assert done.points.filter(attempt=2, metric="train_loss").count() == steps - after
    whole = ready(done)[-1]
    assert (whole.attempt, whole.facts["steps"], whole.facts["partial"]) == (2, steps, False)
    assert_all_is_whole(run)


@pytest.mark.parametrize("point", CHECKPOINT_POINTS)
def test_a_stop_while_a_checkpoint_is_written_lets_it_finish_and_the_training_goes_on_from_it(
    training_run: Training, supervisor: Supervisor, owner: User, hold: Hold, point: str
) -> None:
    run = training_run(max_steps=4, checkpoint_every=2)
    watcher = supervisor(run, **hold.at(point))
    hold.reached(watcher)
    run_stop(run=fresh(run), by=owner)
    asked(fresh(run))
    assert (fresh(run).status, latest_checkpoint(run), ready(run)) == (Status.STOPPING, "", [])  # half of it is nothing
    hold.release()
    assert watcher.wait(120) == 0
    stopped = fresh(run)
    assert (stopped.status, stopped.error) == (Status.STOPPED, None)
    assert [event.data["step"] for event in stopped.events.filter(type="checkpoint")] == [2], "it was written once"
    (partial,) = ready(stopped)
    assert (partial.facts["steps"], partial.facts["partial"]) == (2, True)
    assert_all_is_whole(run)
    assert_it_goes_on(run, supervisor, owner, after=2, steps=4)


@pytest.mark.parametrize("point", CHECKPOINT_POINTS)
def test_a_cancel_while_a_checkpoint_is_written_ends_at_once_and_keeps_nothing(
    training_run: Training, supervisor: Supervisor, owner: User, hold: Hold, point: str
) -> None:
    run = training_run(max_steps=4, checkpoint_every=2)
    watcher = supervisor(run, **hold.at(point))
    hold.reached(watcher)
    run_cancel(run=fresh(run), by=owner)
    assert watcher.wait(15) == 0
    assert_nothing_was_kept(run)
    assert [step for step, _ in curves(fresh(run))["train_loss"]] == [1, 2], "what was recorded stays"


def assert_nothing_was_kept(run: Run) -> None:
    run = fresh(run)
    assert (run.status, run.cancelled, run_can_resume(run)) == (Status.STOPPED, True, False)
    assert not run.outputs.exists()
    assert not list(run.folder.glob(f"*/{CHECKPOINTS}"))
    assert_all_is_whole(run)


@pytest.mark.parametrize("point", ARTIFACT_POINTS)
def test_a_stop_while_the_result_is_written_comes_too_late_and_the_run_succeeds(
    quick_run: Run, supervisor: Supervisor, owner: User, hold: Hold, point: str
) -> None:
    watcher = supervisor(quick_run, **hold.at(point))
    hold.reached(watcher)
    run_stop(run=fresh(quick_run), by=owner)
    asked(fresh(quick_run))
    assert (fresh(quick_run).status, ready(quick_run)) == (Status.STOPPING, [])
    hold.release()
    assert watcher.wait(60) == 0
    done = fresh(quick_run)
    assert (done.status, done.error) == (Status.SUCCEEDED, None)
    (pairs,) = ready(done)
    assert pairs.facts["pairs"] == done.summary["pairs"] > 0
    assert_all_is_whole(quick_run)


@pytest.mark.parametrize("point", ARTIFACT_POINTS)
def test_a_cancel_while_the_result_is_written_ends_at_once_and_keeps_nothing(
    quick_run: Run, supervisor: Supervisor, owner: User, hold: Hold, point: str
) -> None:
    watcher = supervisor(quick_run, **hold.at(point))
    hold.reached(watcher)
    run_cancel(run=fresh(quick_run), by=owner)
    assert watcher.wait(15) == 0
    assert_nothing_was_kept(quick_run)


@pytest.mark.parametrize("point", ARTIFACT_POINTS)
def test_an_engine_that_is_stuck_while_saving_is_killed_after_the_grace_and_leaves_nothing_half(
    quick_run: Run, supervisor: Supervisor, owner: User, hold: Hold, point: str
) -> None:
    watcher = supervisor(quick_run, STUDIO_STOP_GRACE="2", **hold.at(point))
    hold.reached(watcher)
    run_stop(run=fresh(quick_run), by=owner)
    asked(fresh(quick_run))
    assert watcher.wait(30) == 0, "it is not let go: it has to be ended"
    assert_it_was_ended_by_force(quick_run)
    assert_all_is_whole(quick_run)


def assert_it_was_ended_by_force(run: Run) -> None:
    run = fresh(run)
    assert (run.status, run.error, ready(run)) == (Status.STOPPED, None, [])
    assert "did not stop in time" in run.events.filter(type="status").last().data["reason"]  # type: ignore[union-attr]


def test_a_stopped_training_that_dies_while_it_saves_its_adapter_goes_on_from_its_last_step(
    training_run: Training, supervisor: Supervisor, owner: User, hold: Hold
) -> None:
    run = training_run(checkpoint_every=100)
    watcher = supervisor(run, **hold.at("artifact.before_rename"))
    wait_until(lambda: run.points.filter(metric="train_loss").exists())
    run_stop(run=fresh(run), by=owner)
    hold.reached(watcher)
    engine = engine_process(run.pk)
    assert engine is not None
    engine.kill()
    assert watcher.wait(30) == 0
    assert_it_was_ended_by_force(run)
    assert_all_is_whole(run)
    trained = max(step for step, _ in curves(fresh(run))["train_loss"])
    assert_it_goes_on(run, supervisor, owner, after=trained, steps=16)


@pytest.mark.parametrize("end", [run_stop, run_cancel])
def test_an_end_asked_for_while_the_result_is_taken_in_comes_too_late(
    quick_run: Run, supervisor: Supervisor, owner: User, hold: Hold, end: Callable[..., None]
) -> None:
    watcher = supervisor(quick_run, **hold.at("store.before_row"))  # the supervisor is held; its engine has finished
    hold.reached(watcher)
    end(run=fresh(quick_run), by=owner)
    hold.release()
    assert watcher.wait(60) == 0
    done = fresh(quick_run)
    assert (done.status, done.cancelled, len(ready(done))) == (Status.SUCCEEDED, False, 1)
    assert_all_is_whole(quick_run)
