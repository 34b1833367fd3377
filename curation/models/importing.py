"""Files of pairs on their way in."""

import uuid

from django.db import models
from django.urls import reverse

from projects.models import Project, User
from runs.models import Artifact, Run


class PairImport(models.Model):
    """An uploaded file, how its columns are to be read, and the runs that tried it and took it in."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="pair_imports")
    name = models.CharField(max_length=200, help_text="The file's name as it was uploaded.")
    artifact = models.OneToOneField(Artifact, on_delete=models.CASCADE, related_name="+")
    settings = models.JSONField(default=dict, help_text="Parameters of import_pairs: format, mapping, encoding, sheet.")
    dry_run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("curation:import", args=[self.project.slug, self.pk])
