"""Watch one run from claim to end. Nothing here is needed for the engine to go on: whoever dies, another takes over."""

import logging
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseTrouble
from django.db import close_old_connections, connection
from django.utils import timezone

from engine.exits import Exit, InputError
from engine.spec import CHECKPOINTS, OUTPUTS, WORK, Spec
from runs import disk, processes
from runs.artifacts import artifact_path
from runs.environment import engine_environment
from runs.ingesting import TakenOver, ingest
from runs.models import ACTIVE, Run, RunInput, Status
from runs.services import run_can_resume, run_claim, run_end, run_lose, run_take_over, run_transition
from runs.store import StoreAway, cache, shared_store
from runs.store.checkpoints import Uploads, checkpoint_folder, forget_checkpoints
from runs.taking_in import TakeInError, take_in_outputs

log = logging.getLogger(__name__)

TICK = 0.1  # seconds between two looks at the engine's events
STATUS_EVERY = 0.5  # seconds between two looks at whether somebody asked it to stop
PULSE = min(3.0, settings.RUN_HEARTBEAT_STALE_SECONDS / 3)  # seconds between two heartbeats
SECOND_LOOK = 2 * PULSE  # seconds after which a heartbeat that looked old is looked at again
START_PATIENCE = 10.0  # seconds that the shim of a dead supervisor may take to say who it is


def this_host() -> str:
    """What this machine is called: a run belongs to the machine its engine is on."""
    return settings.HOST_NAME


def new_supervisor() -> str:
    return f"{this_host()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"[:60]


def supervise(run_id: UUID) -> None:
    """Claim and start the run if it is queued; take it over if its supervisor fell silent; then watch it to its end."""
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        return
    supervisor = new_supervisor()
    if run.status == Status.QUEUED:
        if not run_claim(run.pk, supervisor, this_host()):
            return
        run.refresh_from_db()
        with _Pulse(run.pk, supervisor):
            _begin(run)
    elif run.is_active and stale(run) and run.host == this_host():
        time.sleep(SECOND_LOOK)  # a clock that was set makes every heartbeat look old; one that lives has moved on since
        if not run_take_over(run, supervisor):
            return
        run.refresh_from_db()
        with _Pulse(run.pk, supervisor):
            if run.status == Status.STARTING and not _shim_turns_up(run):
                # The supervisor died between the claim and the start: as if nobody had claimed it
                run_transition(run.pk, [Status.STARTING], Status.QUEUED, reason="Its worker was lost before it began", supervisor="")
            else:
                _watch(run)


def stale(run: Run) -> bool:
    """Whether the run's heartbeat looks old, or is of a time to come: then a clock was set. It is only a reason to look again."""
    if run.heartbeat_at is None:
        return True
    return abs((timezone.now() - run.heartbeat_at).total_seconds()) > settings.RUN_HEARTBEAT_STALE_SECONDS


def _shim_turns_up(run: Run) -> bool:
    """Whether the shim is there, or comes within the time that it takes one to say who it is: two engines must never share a folder."""
    deadline = time.monotonic() + START_PATIENCE
    while processes.shim_of(run.attempt_folder) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(TICK)
    return True


def _begin(run: Run) -> None:
    """Start the engine of a claimed run and watch it. A run that cannot be started ends, for it could not the next time either."""
    try:
        disk.make_room_for(run)
        shim = _start(run)
    except (DatabaseTrouble, StoreAway):
        raise  # that passes: the reconciler has the run begun again
    except TakenOver:
        log.info("Run %s is begun by another supervisor", run.pk)
        return
    except InputError as problem:
        error = {"code": problem.code, "message": problem.message, "where": problem.where, "mend": problem.mend}
        run_end(run.pk, Status.FAILED, reason=problem.message, error=error)
        return
    except Exception as error:
        log.exception("Starting run %s", run.pk)
        mend = "See to what it names, then start the run again."
        run_end(run.pk, Status.FAILED, error={"code": "start", "message": f"It could not start: {error}", "where": run.stage, "mend": mend})
        return
    if shim is None:
        _judge(run, None)
    else:
        _watch(run, shim)


def _start(run: Run) -> subprocess.Popen[bytes] | None:
    """Start the engine; None when the run was stopped meanwhile and nothing was begun.

    Raises ``InputError`` for an input that was deleted while the run was queued, and ``TakenOver`` when another supervisor has the run.
    """
    folder = run.attempt_folder
    inputs = {item.role: str(_input_folder(item)) for item in run.inputs.select_related("artifact") if item.artifact}
    resume = checkpoint_folder(run)
    Spec(
        stage=run.stage, params=run.params, inputs=inputs, seed=run.seed, resume_from=str(resume) if resume else None,
    ).write(folder)  # fmt: skip
    if not Run.objects.filter(pk=run.pk, supervisor=run.supervisor).exists():
        raise TakenOver(str(run.pk))
    if not Run.objects.filter(pk=run.pk, status=Status.STARTING).exists():
        return None
    return processes.start(folder, engine_environment(run))


def _input_folder(item: RunInput) -> Path:
    """Where an input lies. Raises ``InputError`` when it was deleted."""
    assert item.artifact is not None
    if item.artifact.ready and (folder := artifact_path(item.artifact)).is_dir():
        return folder
    raise InputError(
        "input_gone",
        f"The {item.artifact.kind} it was to use as its {item.role} was deleted while the run waited.",
        where=item.role,
        mend="Start a new run with one that is there.",
    )


def _watch(run: Run, own_shim: subprocess.Popen[bytes] | None = None) -> None:
    """Follow the engine to its end and judge it. ``own_shim``: the shim, where this process has started it."""
    folder = run.attempt_folder
    uploads = Uploads(run)
    try:
        _wait_for_end(run, own_shim, uploads)
        ingest(run)
        code = processes.exit_code(folder)
        if code != Exit.DONE:
            uploads.finish()
        _judge(run, code)
    except TakenOver:
        if Run.objects.filter(pk=run.pk, attempt=run.attempt, status__in=ACTIVE).exists():
            log.info("Run %s is watched by another supervisor now", run.pk)
        else:
            log.warning("Run %s was given up while this host was cut off; its engine is ended", run.pk)
            processes.kill_group(folder)
        return
    finally:
        uploads.close()
    _tidy(run)


def _tidy(run: Run) -> None:
    """Free the disk of what nobody can go on from: what the attempt only worked with, which may be whole models, and old checkpoints."""
    shutil.rmtree(run.attempt_folder / WORK, ignore_errors=True)
    run.refresh_from_db()
    if run.is_ended and not run_can_resume(run):
        for attempt in range(1, run.attempt + 1):
            shutil.rmtree(run.folder / str(attempt) / CHECKPOINTS, ignore_errors=True)
            shutil.rmtree(run.folder / str(attempt) / OUTPUTS, ignore_errors=True)
        if store := shared_store():
            try:
                forget_checkpoints(run)
                cache.sweep(store)
            except StoreAway as error:
                log.warning("After run %s: %s", run.pk, error)
    disk.checkpoints_tidy()


def _wait_for_end(run: Run, own_shim: subprocess.Popen[bytes] | None, uploads: Uploads) -> None:
    """Ingest until the process group is gone. Passes on a wish to stop, and ends it by force once the grace is over.

    Raises ``TakenOver`` when the run is not this supervisor's any more.
    """
    folder = run.attempt_folder
    began = looked = time.monotonic()
    asked: float | None = None
    shim: processes.Shim | None = None
    while True:
        ingest(run)
        if shim is None or shim.engine is None:
            shim = processes.shim_of(folder)
        if shim and run.pid is None:
            # the process id last: who takes over before it is there does both again
            run_transition(run.pk, [Status.STARTING], Status.RUNNING)
            run.pid, run.pid_started = shim.pid, shim.started
            Run.objects.filter(pk=run.pk, supervisor=run.supervisor).update(pid=shim.pid, pid_started=shim.started)
        alive = own_shim is not None and own_shim.poll() is None  # asking collects its exit as well: it stays no zombie
        said_or_over = shim or own_shim or time.monotonic() - began > START_PATIENCE
        if not alive and not processes.group_alive(folder) and said_or_over:
            return
        now = time.monotonic()
        if now - looked >= STATUS_EVERY:
            looked = now
            uploads.look()
            mine = Run.objects.filter(pk=run.pk, supervisor=run.supervisor).values_list("status", "cancelled").first()
            if mine is None:
                raise TakenOver(str(run.pk))
            status, cancelled = mine
            if status == Status.STOPPING:
                if cancelled or (asked and now - asked > settings.RUN_STOP_GRACE_SECONDS):
                    processes.kill_group(folder)
                elif asked is None and shim and shim.engine:
                    asked = now
                    processes.ask_to_stop(folder)
        time.sleep(TICK)


def _judge(run: Run, code: int | None) -> None:
    """End the run by what its engine left behind."""
    run.refresh_from_db()
    finished = run.events.filter(attempt=run.attempt, type="finished").exists()
    if run.cancelled:
        run_end(run.pk, Status.STOPPED, reason="Cancelled", exit_code=code)
    elif code == Exit.DONE and finished:
        _keep(run, Status.SUCCEEDED, code)
    elif code == Exit.STOPPED:
        _keep(run, Status.STOPPED, code)
    elif run.status == Status.STOPPING and (code is None or code < 0):
        begun = processes.shim_of(run.attempt_folder) is not None and code != -signal.SIGTERM  # that ends an engine that cannot save yet
        reason = "It did not stop in time and was ended" if begun else "Stopped before it began"
        run_end(run.pk, Status.STOPPED, reason=reason, exit_code=code)
    elif code is None:
        run_lose(run, "The engine vanished without saying how it ended. The machine may have restarted, or somebody ended it.")
    elif code < 0:
        run_lose(run, f"The engine was ended by signal {-code}. Without somebody's doing, the machine ran out of memory.")
    else:
        run_end(run.pk, Status.FAILED, exit_code=code, error=_crash_error(run, code))


def _crash_error(run: Run, code: int) -> dict[str, str]:
    """The engine's own account where there is one (exit 20 and 30 have), with the log's tail for a crash."""
    error = dict(run.error or {})
    if code in (Exit.INPUT, Exit.MEMORY) and error:
        return error
    return {
        "code": "crash",
        "message": error.get("message") or f"The engine ended with exit code {code}.",
        "where": error.get("where", run.stage),
        "mend": error.get("mend") or "Look into the log; if the data is right, this is a fault of the studio.",
        "log": processes.log_tail(run.attempt_folder),
    }


def _keep(run: Run, status: Status, code: int) -> None:
    """Store and take in what the engine handed over; only then may the run call itself a success."""
    try:
        take_in_outputs(run, whole=status == Status.SUCCEEDED)
    except TakeInError as problem:
        error = {"code": "output", "message": str(problem), "where": problem.where, "mend": "Rerun it; see the log of the worker."}
        run_end(run.pk, Status.FAILED, exit_code=code, error=error)
        return
    late = Run.objects.filter(pk=run.pk, cancelled=True).exists()  # what others were told of cannot be taken back
    reason = "What it made was kept before it could be cancelled" if late else ""
    run_end(run.pk, status, reason=reason, exit_code=code, error=None, cancelled=False)


class _Pulse(AbstractContextManager["_Pulse"]):
    """A heartbeat from a thread of its own, so that taking in a big artifact is not mistaken for death."""

    def __init__(self, run_id: UUID, supervisor: str) -> None:
        self._mine = {"pk": run_id, "supervisor": supervisor, "status__in": ACTIVE}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "_Pulse":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(timeout=PULSE)

    def _beat(self) -> None:
        while not self._stop.wait(PULSE):
            try:
                close_old_connections()
                Run.objects.filter(**self._mine).update(heartbeat_at=timezone.now())
            except Exception as error:  # a database that is away for a moment must not end the pulse
                log.warning("No heartbeat for run %s: %s", self._mine["pk"], error)
        connection.close()
