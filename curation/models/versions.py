"""Immutable versions of a project's data."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.urls import reverse

from projects.models import Project, User
from runs.models import Artifact


class Immutable(Exception):
    """A dataset version was to be changed."""


class FrozenQuerySet(models.QuerySet["DatasetVersion"]):
    def update(self, **changes: Any) -> int:
        raise Immutable("A dataset version never changes. Cut a new one.")


class DatasetVersion(models.Model):
    """Approved pairs as they stood once, split by document. It never changes: a lock, here, is the one thing ``save`` knows.

    The files are the artifact's; ``sha256`` is of their content, so the same pairs, seed and fractions give the same hash.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="dataset_versions")
    number = models.PositiveIntegerField()
    # goes only with its project: artifact_erase keeps the row as a tombstone
    artifact = models.OneToOneField(Artifact, on_delete=models.CASCADE, related_name="dataset_version")
    counts = models.JSONField()
    sha256 = models.CharField(max_length=64)
    seed = models.PositiveIntegerField()
    documents = models.JSONField(help_text="Split → ids of the documents whose pairs are in it.")
    tree = models.JSONField(default=dict, help_text="The filter it was cut with.")
    gate = models.JSONField(default=dict, help_text="The quality gate's last report.json when it was cut; empty when there was none.")
    override_reason = models.CharField(max_length=500, blank=True, help_text="Why an owner cut it though the gate had failed.")
    rehearsal = models.PositiveIntegerField(default=0, help_text="Rows of general data in its training split.")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager["DatasetVersion"]] = FrozenQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="one_version_a_number")]

    def __str__(self) -> str:
        return f"Version {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise Immutable("A dataset version never changes. Cut a new one.")
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("curation:dataset", args=[self.project.slug, self.number])

    @property
    def name(self) -> str:
        return f"v{self.number}"
