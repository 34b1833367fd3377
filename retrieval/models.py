"""Documents, their versions, the passages cut from them, and the index that finds those."""

import uuid
from pathlib import Path
from typing import Any

from django.db import models
from django.urls import reverse

from projects.models import Project, User
from retrieval import files
from runs.models import Artifact, Run


class VersionStatus(models.TextChoices):
    UPLOADED = "UPLOADED", "Waiting"
    READING = "READING", "Reading"
    READY = "READY", "Ready"
    FAILED = "FAILED", "Failed"


class Document(models.Model):
    """A document by its name. Its versions hold the bytes; ``sha256`` is that of the latest.

    ``latest`` is what was uploaded last, ``current`` the newest version that has been read: the only one that search finds.
    Deleting erases text and bytes everywhere and leaves this row with its hash as a tombstone; ``erased_at`` is set once that is done.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="documents")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, db_index=True)
    latest = models.ForeignKey("DocumentVersion", on_delete=models.SET_NULL, null=True, related_name="+")
    current = models.ForeignKey("DocumentVersion", on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["project", "deleted_at", "name"])]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="one_document_a_name", condition=models.Q(deleted_at=None))]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("retrieval:document", args=[self.project.slug, self.pk])


class DocumentVersion(models.Model):
    """The bytes of a document as they were uploaded once, and what reading them gave.

    UPLOADED → READING → READY | FAILED, every step compare-and-set in ``retrieval.services``.

    - READING: ``run`` has it, at ``position`` in its list. A run that ends early gives it back as UPLOADED (stopped) or FAILED,
      with ``error``.
    - FAILED → UPLOADED when somebody tries again.
    - READY: its text, chunks and vectors are all there. ``superseded_at``: a newer version is READY, so this one is no longer searched,
      and what was made from it is stale.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    bytes = models.BigIntegerField()
    media_type = models.CharField(max_length=100)
    file = models.CharField(max_length=300, help_text="Relative to the studio's files; a generated name, never the person's.")
    sha256 = models.CharField(max_length=64)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    status = models.CharField(max_length=10, choices=VersionStatus.choices, default=VersionStatus.UPLOADED)
    error: Any = models.JSONField(null=True, help_text="{code, message, mend}")
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="document_versions")
    position = models.PositiveIntegerField(default=0)
    artifact = models.ForeignKey(Artifact, on_delete=models.SET_NULL, null=True, related_name="document_versions")
    read_at = models.DateTimeField(null=True)
    superseded_at = models.DateTimeField(null=True)

    title = models.CharField(max_length=500, blank=True)
    language = models.CharField(max_length=20, blank=True)
    pages = models.PositiveIntegerField(null=True)
    characters = models.PositiveIntegerField(null=True)
    page_starts = models.JSONField(default=list)
    chunk_count = models.PositiveIntegerField(default=0)
    findings: Any = models.JSONField(default=list, help_text="[{code, message, …}]")

    class Meta:
        ordering = ["-number"]
        indexes = [models.Index(fields=["status", "run"])]
        constraints = [models.UniqueConstraint(fields=["document", "number"], name="one_document_version_a_number")]

    def __str__(self) -> str:
        return f"{self.document_id} version {self.number}"

    @property
    def path(self) -> Path:
        """The original file."""
        return files.place(self.file)

    @property
    def text_path(self) -> Path:
        return files.text_place(self.file)

    def text(self) -> str:
        """Its text, exactly as offsets count it. Raises ``OSError`` when it was never read or has been erased."""
        return self.text_path.read_bytes().decode("utf-8")  # not read_text: that would turn \\r\\n into \\n and shift every offset

    def page_at(self, offset: int) -> int | None:
        """The page that ``offset`` stands on, from 1; None where the document has no pages."""
        return max(1, sum(1 for start in self.page_starts if start <= offset)) if self.page_starts else None


class Chunk(models.Model):
    """A passage: ``text == version.text()[start:end]``. Its key follows from version and ordinal, so taking it in again changes nothing."""

    id = models.UUIDField(primary_key=True, editable=False)
    version = models.ForeignKey(DocumentVersion, on_delete=models.CASCADE, related_name="chunks")
    ordinal = models.PositiveIntegerField()
    text = models.TextField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    page = models.PositiveIntegerField(null=True)
    page_end = models.PositiveIntegerField(null=True)
    headings = models.JSONField(default=list)
    tokens = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["version", "ordinal"]
        constraints = [models.UniqueConstraint(fields=["version", "ordinal"], name="one_chunk_an_ordinal")]

    def __str__(self) -> str:
        return f"chunk {self.ordinal} of {self.version_id}"


def chunk_id(version_id: uuid.UUID, ordinal: int) -> uuid.UUID:
    return uuid.uuid5(version_id, str(ordinal))


class Index(models.Model):
    """The vectors of a project's passages under one embedding model. ``ready`` turns true last; search uses the ready one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="indexes")
    embedding_model = models.CharField(max_length=200)
    dimensions = models.PositiveIntegerField()
    chunk_count = models.PositiveIntegerField(default=0)
    artifact = models.ForeignKey(Artifact, on_delete=models.SET_NULL, null=True, related_name="+")
    ready = models.BooleanField(default=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-updated_at"]
        constraints = [models.UniqueConstraint(fields=["project", "embedding_model", "dimensions"], name="one_index_an_embedder")]

    def __str__(self) -> str:
        return f"{self.embedding_model} ({self.dimensions})"


class MeasurementStatus(models.TextChoices):
    WAITING = "WAITING", "Waiting"
    RUNNING = "RUNNING", "Running"
    SUCCEEDED = "SUCCEEDED", "Succeeded"
    FAILED = "FAILED", "Failed"
    STOPPED = "STOPPED", "Stopped"


class Measurement(models.Model):
    """How well search finds the evidence of the project's own questions, measured in the background with visible progress.

    WAITING → RUNNING → SUCCEEDED | FAILED | STOPPED. ``beat_at`` tells a measurement at work from one whose worker died.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="measurements")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    beat_at = models.DateTimeField(auto_now_add=True)
    status = models.CharField(max_length=10, choices=MeasurementStatus.choices, default=MeasurementStatus.WAITING)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    results: Any = models.JSONField(default=dict)
    misses: Any = models.JSONField(default=list)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-created_at"]
