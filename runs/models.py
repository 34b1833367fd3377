"""Runs, what they said, what they made, and what went into them."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from projects.models import Project, User


class Status(models.TextChoices):
    WAITING = "WAITING", "Waiting"
    QUEUED = "QUEUED", "Queued"
    STARTING = "STARTING", "Starting"
    RUNNING = "RUNNING", "Running"
    STOPPING = "STOPPING", "Stopping"
    SUCCEEDED = "SUCCEEDED", "Succeeded"
    FAILED = "FAILED", "Failed"
    STOPPED = "STOPPED", "Stopped"
    LOST = "LOST", "Lost"


class Priority(models.IntegerChoices):
    LOW = 0, "Low"
    NORMAL = 1, "Normal"
    HIGH = 2, "High"


ACTIVE = [Status.STARTING, Status.RUNNING, Status.STOPPING]  # an engine may be alive
PENDING = [Status.WAITING, Status.QUEUED]
ENDED = [Status.SUCCEEDED, Status.FAILED, Status.STOPPED, Status.LOST]
RESUMABLE = [Status.FAILED, Status.STOPPED, Status.LOST]


class Artifact(models.Model):
    """Something a run made, or a service wrote for one: immutable, hashed, on disk as a folder with artifact.json.

    ``uri`` is relative to the artifact store. ``ready`` turns true last, once everything that takes it in has done so.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="artifacts")
    kind = models.CharField(max_length=30)
    uri = models.CharField(max_length=300)
    bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    facts = models.JSONField(default=dict)
    produced_by = models.ForeignKey("Run", on_delete=models.PROTECT, null=True, related_name="outputs")
    role = models.CharField(max_length=40, blank=True)
    attempt = models.PositiveIntegerField(default=1)
    ready = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["project", "kind", "-created_at"])]
        constraints = [
            models.UniqueConstraint(fields=["produced_by", "attempt", "role"], name="one_artifact_a_role", condition=~models.Q(role=""))
        ]

    def __str__(self) -> str:
        return f"{self.kind} {str(self.id)[:8]}"


class Run(models.Model):
    """One stage at work: durable, watchable, stoppable, recorded.

    WAITING → QUEUED → STARTING → RUNNING → SUCCEEDED | FAILED | STOPPED | LOST, with STOPPING between RUNNING and its end.

    - WAITING: an input is still being made by another run. QUEUED: a worker may take it.
    - STARTING: one worker has claimed it. RUNNING: the engine lives. STOPPING: it was asked to save and leave.
    - SUCCEEDED only with exit 0, a ``finished`` event and every output stored. LOST: the engine is gone and nobody knows why.
    - FAILED, STOPPED and LOST may go back to QUEUED as a further attempt.

    Every change is compare-and-set (``runs.services``). Each attempt has a folder; ``offset`` is how far its events are in the database.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="runs")
    stage = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    queue = models.CharField(max_length=20)
    params = models.JSONField(default=dict)
    seed = models.PositiveIntegerField(default=0)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    rerun_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="reruns")

    attempt = models.PositiveIntegerField(default=1)
    resume_from = models.CharField(max_length=300, blank=True, help_text="A checkpoint's folder, relative to the run's.")
    cancelled = models.BooleanField(default=False, help_text="Stopped without keeping what it had made.")

    # who watches it, and where it lives
    supervisor = models.CharField(max_length=60, blank=True)
    heartbeat_at = models.DateTimeField(null=True)
    host = models.CharField(max_length=120, blank=True)
    device = models.CharField(
        max_length=400, blank=True, help_text="The GPUs it has, by number or name, with commas; empty where there is none."
    )
    pid = models.PositiveIntegerField(null=True)
    pid_started = models.FloatField(null=True)
    offset = models.BigIntegerField(default=0)
    exit_code = models.IntegerField(null=True)

    # a snapshot of what it said last; the events hold the rest
    last_seq = models.PositiveIntegerField(default=0)
    phase = models.CharField(max_length=120, blank=True)
    progress = models.JSONField(default=dict)
    error = models.JSONField(null=True)
    summary = models.JSONField(default=dict)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["project", "-created_at"]), models.Index(fields=["status", "heartbeat_at"])]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        assert self.project is not None
        return reverse("runs:detail", args=[self.project.slug, self.pk])

    @property
    def folder(self) -> Path:
        return settings.RUN_ROOT / str(self.pk)

    @property
    def attempt_folder(self) -> Path:
        return self.folder / str(self.attempt)

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def is_ended(self) -> bool:
        return self.status in ENDED

    @property
    def percent(self) -> int | None:
        """How far the current phase is, 0 to 100, or None where it cannot be told."""
        total = self.progress.get("total")
        return int(100 * self.progress.get("done", 0) / total) if total else None

    @property
    def seconds(self) -> float | None:
        """From its (last) start to its end, or to now."""
        if self.started_at is None:
            return None
        return max(0.0, ((self.ended_at or timezone.now()) - self.started_at).total_seconds())  # a clock may have been put back

    def output(self, role: str) -> Artifact | None:
        """The latest artifact of that role."""
        return self.outputs.filter(role=role, ready=True).order_by("-attempt").first()


class RunInput(models.Model):
    """What goes into a run: an artifact, or a role of another run that will make it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="inputs")
    role = models.CharField(max_length=40)
    artifact = models.ForeignKey(Artifact, on_delete=models.PROTECT, null=True, related_name="used_by")
    from_run = models.ForeignKey(Run, on_delete=models.PROTECT, null=True, related_name="feeds")
    from_role = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "role"], name="one_input_a_role")]


class RunEvent(models.Model):
    """One event of a run, counted from 1 over all its attempts."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    ts = models.FloatField()
    type = models.CharField(max_length=12)
    data: Any = models.JSONField(default=dict)

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="one_event_a_seq")]
        indexes = [models.Index(fields=["run", "type", "seq"], name="event_type")]  # nearly all events are metrics and progress

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.ts, tz=UTC)

    def as_dict(self) -> dict[str, Any]:
        return {"seq": self.seq, "attempt": self.attempt, "ts": self.ts, "type": self.type, "data": self.data}


class MetricPoint(models.Model):
    """One value of one metric at one step of one attempt."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="points")
    attempt = models.PositiveIntegerField()
    metric = models.CharField(max_length=60)
    step = models.PositiveIntegerField()
    value = models.FloatField()

    class Meta:
        ordering = ["step"]
        constraints = [models.UniqueConstraint(fields=["run", "attempt", "metric", "step"], name="one_point_a_step")]


class MetricRollup(models.Model):
    """One metric over ``runs.rollups.SPAN`` steps of one attempt: first, last, lowest and highest value, each with its step.

    Long curves are drawn from these, so that a page need not read a million points (M4 aggregation: Jugel et al. 2014).
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="rollups")
    attempt = models.PositiveIntegerField()
    metric = models.CharField(max_length=60)
    span = models.PositiveIntegerField(help_text="The step divided by SPAN, rounded down.")
    first_step = models.PositiveIntegerField()
    first = models.FloatField()
    last_step = models.PositiveIntegerField()
    last = models.FloatField()
    low_step = models.PositiveIntegerField()
    low = models.FloatField()
    high_step = models.PositiveIntegerField()
    high = models.FloatField()

    class Meta:
        ordering = ["span"]
        constraints = [models.UniqueConstraint(fields=["run", "attempt", "metric", "span"], name="one_rollup_a_span")]
