"""What is done to runs. Every change of state is compare-and-set and leaves a ``status`` event, so that watchers and the log agree."""

import logging
import shutil
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from pydantic import ValidationError

from engine import registry
from projects import audit
from projects.models import Project, User
from projects.services import project_touch
from runs import queueing
from runs.doorbell import ring
from runs.models import ACTIVE, PENDING, RESUMABLE, Artifact, Priority, Run, RunEvent, RunInput, Status
from runs.registries import run_end_hooks
from runs.store import StoreAway
from runs.store.checkpoints import forget_checkpoints, latest_checkpoint

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3  # that the studio makes by itself; a person may resume as often as they like
EXPIRES = 30  # seconds after which a message the reconciler sent is worthless: it sends another


class RunError(Exception):
    """A run cannot be made or changed as asked. ``fields`` maps a parameter or role to what is wrong with it."""

    def __init__(self, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


Source = Artifact | tuple[Run, str]


@transaction.atomic
def run_create(
    *,
    project: Project | None,
    stage: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, Source],
    by: User | None,
    title: str = "",
    seed: int = 0,
    priority: int = Priority.NORMAL,
    rerun_of: Run | None = None,
) -> Run:
    """A new run, queued on commit, or waiting while ``inputs`` (role → artifact, or (run, its role)) are still being made.

    Raises ``RunError`` for an unknown stage, wrong parameters, or an input that is missing, of another kind or of another project.
    """
    try:
        info = registry.get(stage)
        valid = info.params.model_validate(dict(params))
    except registry.RegistryError as error:
        raise RunError(str(error)) from error
    except ValidationError as error:
        fields = {str(item["loc"][0]) if item["loc"] else "": item["msg"] for item in error.errors()}
        raise RunError("Some settings are not right.", fields) from error
    _check_inputs(info, inputs, project)
    waiting = any(not isinstance(source, Artifact) for source in inputs.values())
    run = Run.objects.create(
        project=project,
        stage=stage,
        title=title or info.title,
        queue=info.queue,
        params=valid.model_dump(mode="json"),
        seed=seed,
        priority=priority,
        status=Status.WAITING if waiting else Status.QUEUED,
        created_by=by,
        rerun_of=rerun_of,
    )
    for role, source in inputs.items():
        if isinstance(source, Artifact):
            RunInput.objects.create(run=run, role=role, artifact=source)
        else:
            RunInput.objects.create(run=run, role=role, from_run=source[0], from_role=source[1])
    audit.record(project, by, "run.create", f"{run.title} {run.pk}", after={"stage": stage, "params": run.params, "seed": seed})
    if project:
        project_touch(project)
    if waiting:
        run_release(run)  # what it waits for may be there already
    else:
        transaction.on_commit(lambda: run_enqueue(run))
    return run


def _check_inputs(info: registry.StageInfo, inputs: Mapping[str, Source], project: Project | None) -> None:
    wrong: dict[str, str] = {}
    for role, (kind, required) in info.roles.items():
        source = inputs.get(role)
        if source is None:
            if required:
                wrong[role] = f"Choose a {kind}."
            continue
        made = source if isinstance(source, Artifact) else source[0]
        made_kind = source.kind if isinstance(source, Artifact) else registry.get(source[0].stage).produces.get(source[1], "")
        if made_kind != kind:
            wrong[role] = f"This is a {made_kind or 'thing nobody makes'}; a {kind} is needed."
        elif made.project_id is not None and (project is None or made.project_id != project.pk):
            wrong[role] = "This belongs to another project."
        elif isinstance(source, Artifact) and not source.ready:
            wrong[role] = "This is not complete, or was deleted."
    for role in inputs.keys() - info.roles.keys():
        wrong[role] = f"{info.title} takes no {role}."
    if wrong:
        raise RunError(f"{info.title} cannot start: " + " ".join(f"{role}: {text}" for role, text in wrong.items()), wrong)


def run_enqueue(run: Run, *, expires: float | None = None) -> None:
    """Tell the workers. If Redis is away nothing is lost: the reconciler tells them again."""
    from runs.tasks import run_supervise

    try:
        run_supervise.apply_async([str(run.pk)], queue=run.queue, retry=False, expires=expires)
    except Exception as error:  # kombu and redis raise their own kinds
        log.warning("Run %s is queued, but the workers could not be told yet: %s", run.pk, error)


def run_transition(run_id: UUID, before: list[Status], after: Status, *, reason: str = "", **fields: Any) -> bool:
    """Compare-and-set ``before`` → ``after`` with ``fields``; False when somebody else was first."""
    return _tell(run_id, {"status__in": before}, "status", {"status": after.value, "reason": reason}, status=after, **fields)


def run_say(run_id: UUID, message: str, **only: Any) -> bool:
    """Put ``message`` among the run's events as the studio's own word; False, and nothing said, where the run is not as ``only`` says."""
    return _tell(run_id, only, "log", {"message": message})


def _tell(run_id: UUID, only: dict[str, Any], type: str, data: dict[str, Any], **fields: Any) -> bool:
    with transaction.atomic():
        if not Run.objects.filter(pk=run_id, **only).update(last_seq=F("last_seq") + 1, **fields):
            return False
        seq, attempt = Run.objects.values_list("last_seq", "attempt").get(pk=run_id)
        RunEvent.objects.create(run_id=run_id, seq=seq, attempt=attempt, ts=timezone.now().timestamp(), type=type, data=data)
        transaction.on_commit(lambda: ring(run_id, seq))
    return True


def run_release(run: Run) -> None:
    """Fill in inputs that are made by now and queue the run; end it when what it waits for will never come. Idempotent."""
    for waiting in run.inputs.filter(artifact=None).select_related("from_run"):
        source = waiting.from_run
        assert source is not None
        if source.status == Status.SUCCEEDED and (artifact := source.output(waiting.from_role)):
            RunInput.objects.filter(pk=waiting.pk).update(artifact=artifact)
        elif source.is_ended:
            what = f"made no {waiting.from_role}" if source.status == Status.SUCCEEDED else source.get_status_display().lower()
            _end(run.pk, [Status.WAITING], Status.STOPPED, reason=f"It waited for “{source.title}”, which {what}.")
            return
    if not run.inputs.filter(artifact=None).exists() and run_transition(run.pk, [Status.WAITING], Status.QUEUED):
        transaction.on_commit(lambda: run_enqueue(run))


def run_claim(run_id: UUID, supervisor: str, host: str) -> bool:
    """Take a queued run for ``supervisor``. False when another has it, or, in the heavy queue, while it is not this run's turn
    or this host's GPU slots are all held by live runs.
    """
    queueing.devices()  # asked for once, which may take seconds: not while others wait for the rows
    with transaction.atomic():
        run = Run.objects.filter(pk=run_id).only("queue").first()
        if run is None:
            return False
        device: str | None = ""
        if run.queue == queueing.HEAVY:
            queueing.lock()
            device = queueing.may_begin(run_id, host)
        if device is None:
            return False
        now = timezone.now()
        claim: dict[str, Any] = {"supervisor": supervisor, "heartbeat_at": now, "started_at": now, "host": host, "device": device}
        fresh: dict[str, Any] = {
            "pid": None,
            "pid_started": None,
            "offset": 0,
            "exit_code": None,
            "error": None,
            "progress": {},
            "phase": "",
        }
        return run_transition(run_id, [Status.QUEUED], Status.STARTING, **claim, **fresh)


def run_take_over(run: Run, supervisor: str) -> bool:
    """Take an active run whose supervisor fell silent. False when another did, or when it speaks again."""
    return bool(
        Run.objects.filter(pk=run.pk, status__in=ACTIVE, supervisor=run.supervisor, heartbeat_at=run.heartbeat_at).update(
            supervisor=supervisor, heartbeat_at=timezone.now()
        )
    )


def run_end(run_id: UUID, after: Status, *, reason: str = "", before: list[Status] | None = None, **fields: Any) -> bool:
    """End an active run; then what waited for it goes on, and its queue moves up."""
    return _end(run_id, before or ACTIVE, after, reason=reason, **fields)


def _end(run_id: UUID, before: list[Status], after: Status, *, reason: str = "", **fields: Any) -> bool:
    if not run_transition(run_id, before, after, reason=reason, ended_at=timezone.now(), supervisor="", **fields):
        return False
    run = Run.objects.select_related("project").get(pk=run_id)
    audit.record(run.project, None, "run.end", f"{run.title} {run.pk}", after={"status": after.value, "attempt": run.attempt})
    if run.project:
        project_touch(run.project)
    after_end(run)
    return True


def after_end(run: Run) -> None:
    """Release what waits for ``run``, tell the other apps, and move its queue up. Each may fail without harming the others."""
    waiting = Run.objects.filter(inputs__from_run=run, status=Status.WAITING).distinct()
    for step in [
        *(lambda other=other: run_release(other) for other in waiting),
        *(lambda hook=hook: hook(run) for hook in run_end_hooks()),
    ]:
        try:
            step()
        except Exception:
            log.exception("After the end of run %s", run.pk)
    queue_move_up(run.queue)


def queue_move_up(queue: str, *, expires: float | None = None) -> None:
    """Tell the workers of the runs that stand first in ``queue``, as many as could start."""
    many = settings.GPU_SLOTS if queue == queueing.HEAVY else queueing.AT_ONCE
    first = [place.run for place in queueing.places(queue)[:many] if not place.held]
    runs = Run.objects.in_bulk(first)
    for run_id in first:
        if run_id in runs:
            run_enqueue(runs[run_id], expires=expires)


def run_prioritise(*, run: Run, priority: Priority, by: User | None) -> None:
    """Let a run that has not begun go before or after others. Raises ``RunError`` once it has."""
    with transaction.atomic():
        before = Run.objects.select_for_update().filter(pk=run.pk, status__in=PENDING).values_list("priority", flat=True).first()
        if before is None or not run_say(run.pk, f"Its priority is {priority.label.lower()} now", status__in=PENDING):
            raise RunError("This run has begun or ended; its priority changes nothing any more.")
        Run.objects.filter(pk=run.pk).update(priority=priority)
        audit.record(run.project, by, "run.prioritise", f"{run.title} {run.pk}", before={"priority": before}, after={"priority": priority})


def run_stop(*, run: Run, by: User | None) -> None:
    """Stop and keep: the engine saves a checkpoint and what it has, and leaves. A run that has not begun just ends."""
    # first as if it had not begun: a worker may take it at any moment, but none gives it back
    if _end(run.pk, PENDING, Status.STOPPED, reason="Stopped before it began") or run_transition(
        run.pk, [Status.STARTING, Status.RUNNING], Status.STOPPING, reason="Saving, then stopping"
    ):
        audit.record(run.project, by, "run.stop", f"{run.title} {run.pk}")


def run_cancel(*, run: Run, by: User | None) -> None:
    """End it now and keep nothing. What waited for it ends too."""
    if not _end(run.pk, PENDING, Status.STOPPED, reason="Cancelled before it began", cancelled=True):
        if not Run.objects.filter(pk=run.pk, status__in=ACTIVE).update(cancelled=True):
            return
        run_transition(run.pk, [Status.STARTING, Status.RUNNING], Status.STOPPING, reason="Cancelling")
    audit.record(run.project, by, "run.cancel", f"{run.title} {run.pk}")


def run_can_resume(run: Run) -> bool:
    """Whether the run can go on as a further attempt: it ended early, was not cancelled, and its stage knows how."""
    return run.status in RESUMABLE and not run.cancelled and registry.get(run.stage).resumable


def run_resume(*, run: Run, by: User | None) -> None:
    """Go on as the next attempt, from the newest sound checkpoint or, without one, from the start. Raises ``RunError``."""
    if not run_can_resume(run):
        raise RunError("This run cannot be resumed. Rerun it instead.")
    if run.inputs.filter(artifact=None).exists():
        raise RunError("What this run was waiting for was never made. Resume that run first.")
    try:
        checkpoint = latest_checkpoint(run)
    except StoreAway as error:
        raise RunError(f"{error}. Try again in a moment.") from error
    if not _next_attempt(run, by, checkpoint):
        raise RunError("The run has changed meanwhile. Look again.")


@transaction.atomic
def _next_attempt(run: Run, by: User | None, checkpoint: str) -> bool:
    """Queue an ended run again, to go on from ``checkpoint``, with all that waits for it. False when somebody else was first."""
    done = run_transition(
        run.pk,
        RESUMABLE,
        Status.QUEUED,
        reason=f"Attempt {run.attempt + 1}",
        attempt=F("attempt") + 1,
        resume_from=checkpoint,
        offset=0,
        ended_at=None,
    )
    if done:
        _wait_again(run)
        audit.record(run.project, by, "run.resume", f"{run.title} {run.pk}", after={"attempt": run.attempt + 1})
        transaction.on_commit(lambda: run_enqueue(run))
    return done


def _wait_again(run: Run) -> None:
    """What ended before it began, because ``run`` did not succeed, waits for it again."""
    ended = Run.objects.filter(inputs__from_run=run, inputs__artifact=None, status=Status.STOPPED, started_at=None, cancelled=False)
    for other in ended.distinct():
        if run_transition(other.pk, [Status.STOPPED], Status.WAITING, reason=f"“{run.title}” goes on", ended_at=None):
            _wait_again(other)


def run_lose(run: Run, reason: str) -> None:
    """The engine is gone without a word. End as STOPPED if that was asked for; else go on from the last checkpoint where the stage can,
    or end as LOST.
    """
    if run_end(run.pk, Status.STOPPED, reason=reason, before=[Status.STOPPING]):
        return
    error = {"code": "lost", "message": reason, "where": run.stage, "mend": "Resume it, or look into the log."}
    again = registry.get(run.stage).resumable and run.attempt < MAX_ATTEMPTS and not run.cancelled
    if not again:
        run_end(run.pk, Status.LOST, reason=reason, error=error)
        return
    checkpoint = latest_checkpoint(run)  # hashed before the transaction: SQLite has one writer
    # In one, and not ``run_end``: what waits for this run must go on waiting, so nobody may see it ended
    with transaction.atomic():
        live = [Status.STARTING, Status.RUNNING]
        if run_transition(run.pk, live, Status.LOST, reason=reason, error=error, ended_at=timezone.now(), supervisor=""):
            _next_attempt(run, None, checkpoint)


def run_rerun(*, run: Run, by: User, params: Mapping[str, Any] | None = None, priority: int | None = None) -> Run:
    """A new run with the same inputs and seed, and ``params`` changed; one that is None goes back to its default. Raises ``RunError``."""
    inputs: dict[str, Source] = {}
    for item in run.inputs.select_related("artifact", "from_run"):
        if item.artifact is not None:
            inputs[item.role] = item.artifact
        elif item.from_run is not None:
            inputs[item.role] = (item.from_run, item.from_role)
    return run_create(
        project=run.project,
        stage=run.stage,
        params={name: value for name, value in {**run.params, **(params or {})}.items() if value is not None},
        inputs=inputs,
        by=by,
        title=run.title,
        seed=run.seed,
        priority=run.priority if priority is None else priority,
        rerun_of=run,
    )


def runs_delete_for(project: Project) -> None:
    """Remove the files of a project's runs and artifacts, and the rows that protect one another."""
    from runs.artifacts import artifact_files_erase

    for artifact in Artifact.objects.filter(project=project):
        artifact_files_erase(artifact)
    runs = Run.objects.filter(project=project)
    for run in runs:
        forget_checkpoints(run)
        shutil.rmtree(run.folder, ignore_errors=True)
    with transaction.atomic():
        RunInput.objects.filter(run__in=runs).delete()
        Artifact.objects.filter(project=project).delete()
        runs.delete()
