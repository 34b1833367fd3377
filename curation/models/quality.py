"""What the quality gate found."""

import uuid

from django.db import models
from django.urls import reverse

from curation.models.pairs import Pair
from projects.models import Project, User
from runs.models import Artifact


class QualityReport(models.Model):
    """One look of the gate at a set of pairs. ``report`` is the artifact's report.json; it never changes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="quality_reports")
    artifact = models.OneToOneField(Artifact, on_delete=models.CASCADE, related_name="quality_report")
    verdict = models.CharField(max_length=4, choices=[("pass", "Passed"), ("warn", "Passed with warnings"), ("fail", "Failed")])
    pairs = models.PositiveIntegerField()
    report = models.JSONField()
    tree = models.JSONField(default=dict, help_text="The filter of the pairs it looked at.")
    fingerprint = models.CharField(max_length=64, help_text="Of the pairs' ids and revisions: tells whether it is out of date.")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def get_absolute_url(self) -> str:
        return reverse("curation:quality_report", args=[self.project.slug, self.pk])


class Finding(models.Model):
    """A pair that a check found fault with; ``other`` is the pair it repeats or leaks into, where there is one."""

    report = models.ForeignKey(QualityReport, on_delete=models.CASCADE, related_name="findings")
    check_key = models.CharField(max_length=40)
    pair = models.ForeignKey(Pair, on_delete=models.CASCADE, related_name="findings")
    other = models.UUIDField(null=True)
    detail = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["report", "check_key"])]
