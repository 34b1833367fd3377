"""Reports: what an evaluation measured, taken in from its artifact."""

import uuid
from typing import Any

from django.db import models
from django.urls import reverse

from projects.models import Project
from runs.models import Artifact


class Report(models.Model):
    """One evaluation of a base model and, where there is one, of the model tuned from it: ``adapter``, which is a whole model where the
    training moved all weights.

    ``figures`` is the artifact's report.json; the columns repeat what lists sort by. The samples stay in the
    artifact's files.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="reports")
    artifact = models.OneToOneField(Artifact, on_delete=models.CASCADE, related_name="report")
    model = models.ForeignKey(Artifact, on_delete=models.SET_NULL, null=True, related_name="reports_as_base")
    adapter = models.ForeignKey(Artifact, on_delete=models.SET_NULL, null=True, related_name="reports_as_adapter")
    title = models.CharField(max_length=200)
    pairs = models.PositiveIntegerField(default=0)
    base_loss = models.FloatField(null=True)
    tuned_loss = models.FloatField(null=True)
    base_token_f1 = models.FloatField(null=True)
    tuned_token_f1 = models.FloatField(null=True)
    base_general_loss = models.FloatField(null=True)
    tuned_general_loss = models.FloatField(null=True)
    figures: Any = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["project", "-created_at"])]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("evaluation:report", args=[self.project.slug, self.pk])

    @property
    def tested(self) -> Artifact | None:
        """The model that the report is about."""
        return self.adapter or self.model

    @property
    def loss_change(self) -> float | None:
        """The loss against the base model's, in percent; negative is better."""
        if not self.base_loss or self.tuned_loss is None:
            return None
        return 100 * (self.tuned_loss - self.base_loss) / self.base_loss
