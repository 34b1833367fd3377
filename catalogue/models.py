"""Which base models were brought onto this machine, and those an administrator added from a folder."""

from datetime import timedelta

from django.db import models
from django.utils import timezone

from projects.models import User
from runs.models import Run

SILENT = timedelta(seconds=60)  # after which a download is taken for dead


class LocalModel(models.Model):
    """A Hugging Face folder or GGUF file that an administrator added by its place under ``STUDIO_MODELS_DIR``."""

    key = models.SlugField(max_length=80, unique=True)
    name = models.CharField("Name", max_length=120)
    path = models.CharField("Place", max_length=300, help_text="Relative to the models folder of this machine.")
    licence = models.CharField("Licence", max_length=120, blank=True)
    parameters = models.BigIntegerField(default=0)
    context = models.PositiveIntegerField(default=0)
    added_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class BaseModelImport(models.Model):
    """The latest run that brings the base model ``key`` in. One row a key, so that two people who ask at once get one
    run.
    """

    key = models.CharField(max_length=80, unique=True)
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="base_model_imports")

    def __str__(self) -> str:
        return self.key


class BaseModelDownload(models.Model):
    """How far a download from the hub is. A worker that died leaves ``updated_at`` behind; the next start goes on
    where it ended.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        RUNNING = "RUNNING", "Downloading"
        DONE = "DONE", "Downloaded"
        FAILED = "FAILED", "Failed"

    key = models.CharField(max_length=80, unique=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    done_bytes = models.BigIntegerField(default=0)
    total_bytes = models.BigIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    revision = models.CharField(max_length=64, blank=True, help_text="The commit that was downloaded.")
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.key

    @property
    def under_way(self) -> bool:
        """Whether a worker has it or will: one that has been silent for long is dead, and the download may be started again."""
        return self.state in (self.State.WAITING, self.State.RUNNING) and self.updated_at > timezone.now() - SILENT
