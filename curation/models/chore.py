"""Long work that is no run: what a worker does for a page, while the page tells how far it is."""

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from projects.models import Project, User

EXPORTS_FOLDER = "exports"  # in the artifact store, which all machines share
KEY = 16  # bytes of a pair's id


class ChoreState(models.TextChoices):
    QUEUED = "QUEUED", "Queued"
    RUNNING = "RUNNING", "Running"
    SUCCEEDED = "SUCCEEDED", "Succeeded"
    FAILED = "FAILED", "Failed"
    STOPPED = "STOPPED", "Stopped"
    LOST = "LOST", "Lost"


LIVE = [ChoreState.QUEUED, ChoreState.RUNNING]


class ChoreManager(models.Manager["Chore"]):
    """Without the pairs' ids, which are megabytes; whoever asks for them gets them."""

    def get_queryset(self) -> models.QuerySet["Chore"]:
        return super().get_queryset().defer("keys")


class Chore(models.Model):
    """Something large that a person asked a page for: approving all that match, cutting a version, writing a file.

    QUEUED → RUNNING → SUCCEEDED | FAILED | STOPPED | LOST, by compare-and-set in ``curation.services`` alone. ``beat_at`` tells one at work
    from one whose worker died. ``kind`` says which function does it, ``params`` is all that it needs to know. ``keys`` are the ids of the
    pairs it is about, fixed when it was asked for; they go when it has ended.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="chores")
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=20)
    title = models.CharField(max_length=200, help_text='What it does, in words: "Approving 84,210 pairs".')
    params: Any = models.JSONField(default=dict)
    keys = models.BinaryField(default=bytes)
    state = models.CharField(max_length=10, choices=ChoreState.choices, default=ChoreState.QUEUED)
    stopping = models.BooleanField(default=False, help_text="Somebody wants it to end early.")
    step = models.CharField(max_length=80, blank=True, help_text="What it is at.")
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=1000, blank=True, help_text="How it ended, and where it went wrong, what mends it.")
    link = models.TextField(blank=True, help_text="Where its result is.")
    link_words = models.CharField(max_length=60, blank=True)
    file = models.CharField(max_length=200, blank=True, help_text="The name under which the file it wrote is downloaded.")
    seen_at = models.DateTimeField(null=True, help_text="When its notice was put away.")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[ChoreManager] = ChoreManager()

    class Meta:
        ordering = ["created_at", "pk"]
        indexes = [models.Index(fields=["project", "state"]), models.Index(fields=["state", "ended_at"])]

    def __str__(self) -> str:
        return self.title

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def ids(self) -> list[uuid.UUID]:
        """The pairs it is about."""
        packed = bytes(self.keys)
        return [uuid.UUID(bytes=packed[at : at + KEY]) for at in range(0, len(packed), KEY)]

    @property
    def path(self) -> Path:
        """Where the file that it writes lies."""
        return settings.ARTIFACT_ROOT / EXPORTS_FOLDER / str(self.pk)

    @property
    def seconds_left(self) -> int | None:
        """Guessed from its pace so far; None where there is none yet."""
        if not self.started_at or not 0 < self.done < self.total:
            return None
        return round((timezone.now() - self.started_at).total_seconds() / self.done * (self.total - self.done))


def keys_packed(ids: Iterable[uuid.UUID]) -> bytes:
    """As ``Chore.keys`` holds them."""
    return b"".join(pk.bytes for pk in ids)
