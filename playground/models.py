"""Talking with the project's models."""

import uuid

from django.db import models
from django.urls import reverse
from pydantic import BaseModel

from projects.models import Project, User
from retrieval.citations import citation_url
from runs.models import Artifact


class Citation(BaseModel):
    """Where a passage that an answer rests on stands. ``start`` and ``end`` are character offsets in the version's text."""

    document: str
    version: str
    name: str
    page: int | None
    start: int
    end: int
    text: str

    def url(self, project: Project) -> str:
        return citation_url(project, self.document, self.start, self.end, self.version)


class Conversation(models.Model):
    """One person's talk with one model; others in the project do not see it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="conversations")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="conversations")
    model = models.ForeignKey(Artifact, on_delete=models.PROTECT, related_name="conversations")
    with_documents = models.BooleanField(default=True)
    title = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-updated_at"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("playground:conversation", args=[self.project.slug, self.pk])


class Message(models.Model):
    """A question or an answer. An answer that was cut off (the reader left, the server failed) keeps what had come."""

    class Role(models.TextChoices):
        USER = "user", "You"
        ASSISTANT = "assistant", "Model"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    role = models.CharField(max_length=10, choices=Role.choices)
    text = models.TextField()
    citations = models.JSONField(default=list)
    with_documents = models.BooleanField(default=False)
    seconds = models.FloatField(null=True)
    cut_off = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    @property
    def cited(self) -> list[Citation]:
        return [Citation.model_validate(item) for item in self.citations]


class Feedback(models.Model):
    """A thumb, and where it points down, what the answer should have been."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="feedback")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    good = models.BooleanField()
    correction = models.TextField(blank=True, max_length=8000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "user"], name="one_thumb_a_person")]
