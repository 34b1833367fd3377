"""Talking with the project's models."""

import uuid

from django.db import models
from django.urls import reverse
from pydantic import BaseModel

from curation.models import Pair
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
    pair = models.OneToOneField(Pair, on_delete=models.SET_NULL, null=True, related_name="+", help_text="Made from this answer, once.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    @property
    def corrected(self) -> str:
        """What stands there once a correction has taken the answer's place."""
        return next((feedback.correction for feedback in self.feedback.all() if feedback.correction), self.text)

    @property
    def cited(self) -> list[Citation]:
        return [Citation.model_validate(item) for item in self.citations]


class Reason(models.TextChoices):
    """What may be wrong with an answer, as who asked sees it."""

    WRONG = "wrong", "It is not true"
    INCOMPLETE = "incomplete", "Something is missing"
    BESIDE = "beside", "It answers something else"
    PASSAGE = "passage", "It rests on the wrong passage"
    WORDING = "wording", "It is badly put"


class Feedback(models.Model):
    """A thumb, and where it points down, what was wrong and what the answer should have been.

    Reviewers see the question and the answer of what was rated, and make pairs of it; ``set_aside`` is what they want no pair of.
    """

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="feedback")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    good = models.BooleanField()
    reasons = models.JSONField(default=list, help_text="Keys of Reason.")
    correction = models.TextField(blank=True, max_length=8000)
    set_aside = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "user"], name="one_thumb_a_person")]

    @property
    def right_answer(self) -> str:
        """What the model should have said as far as the rating tells; empty where it does not. Half an answer is none."""
        return self.correction or (self.message.text if self.good and not self.message.cut_off else "")

    @property
    def reason_words(self) -> list[str]:
        return [str(Reason(key).label) for key in self.reasons if key in Reason.values]
