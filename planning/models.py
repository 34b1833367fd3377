"""The plan a project follows."""

import uuid
from typing import Any

from django.db import models

from projects.models import Project, User


class Plan(models.Model):
    """Answers, and the recommendation as it was when somebody chose it. The latest is the project's plan; older ones are its history.

    ``rules_version`` is the hash of the rules it came from, so that a later reader can tell whether the advice would be the same today.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="plans")
    answers = models.JSONField()
    recommendation: Any = models.JSONField()
    rules_version = models.CharField(max_length=64)
    base_key = models.CharField(max_length=120, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["project", "-created_at"])]

    def __str__(self) -> str:
        return str(self.recommendation.get("title", "Plan"))
