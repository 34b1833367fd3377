"""What was launched together: a pipeline is nothing but runs whose inputs point at one another."""

import uuid

from django.db import models
from django.urls import reverse

from projects.models import Project, User
from runs.models import Artifact, Run


class Sweep(models.Model):
    """The same training with several values of one or two of its settings: a pipeline a combination."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sweeps")
    name = models.CharField("Name", max_length=120)
    stage = models.CharField("Method", max_length=40)
    varied = models.JSONField(default=list, help_text="The settings with their values: a name and a list each.")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("training:sweep", args=[self.project.slug, self.pk])


class Pipeline(models.Model):
    """One press of "Start training": which base model, which dataset version, which steps; or one combination of a sweep."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="pipelines")
    name = models.CharField("Name", max_length=120)
    base_key = models.CharField("Base model", max_length=80)
    dataset = models.ForeignKey(Artifact, on_delete=models.SET_NULL, null=True, related_name="+")
    steps = models.JSONField(default=list, help_text="The steps as asked for: a stage and its parameters each.")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    sweep = models.ForeignKey(Sweep, on_delete=models.SET_NULL, null=True, related_name="pipelines")
    place = models.PositiveSmallIntegerField(default=0, help_text="Which of the sweep's combinations it is, from 0.")
    runs = models.ManyToManyField(Run, through="PipelineRun", related_name="pipelines")

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class PipelineRun(models.Model):
    """The run of one step. The import of a base model may belong to several pipelines."""

    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="steps_run")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="pipeline_steps")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["pipeline", "position"], name="one_run_a_position")]

    def __str__(self) -> str:
        return f"step {self.position + 1} of {self.pipeline}"
