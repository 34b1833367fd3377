"""Who works on which pair, and what each person said: claims, responses, assignments, comments."""

import uuid

from django.db import models
from django.db.models import Q

from curation.models.pairs import Difficulty, Pair, Tag
from projects.models import Project, User


class CollectionSettings(models.Model):
    """How a project collects responses. A project without a row has the defaults."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="collection")
    overlap = models.PositiveSmallIntegerField(default=1, help_text="Responses wanted for each pair.")
    lock_minutes = models.PositiveSmallIntegerField(default=15, help_text="How long a pair stays with whoever opened it.")
    guidelines = models.TextField(blank=True, help_text="Markdown.")


class ResponseState(models.TextChoices):
    DRAFT = "DRAFT", "Draft"
    SUBMITTED = "SUBMITTED", "Submitted"
    DISCARDED = "DISCARDED", "Discarded"
    SKIPPED = "SKIPPED", "Skipped"


class Verdict(models.TextChoices):
    GOOD = "good", "Good"
    BAD = "bad", "Not usable"
    UNSURE = "unsure", "Unsure"


class Response(models.Model):
    """One person's work on one pair; the pair itself stays as it is until a reviewer decides.

    - DRAFT → SUBMITTED | DISCARDED | SKIPPED, by the person alone; SKIPPED → DRAFT when they come back to it.
    - SUBMITTED | DISCARDED → DRAFT by undo, while the pair waits for review and has not been reviewed.

    SUBMITTED and DISCARDED count towards the pair's overlap (discarding is saying that it should not be used); DRAFT holds a place
    as long as the person's claim lives; SKIPPED gives it back. Changes are compare-and-set on ``revision``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    pair = models.ForeignKey(Pair, on_delete=models.CASCADE, related_name="responses")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=10, choices=ResponseState.choices, default=ResponseState.DRAFT)
    messages = models.JSONField(help_text="The conversation as this person would have it.")
    answer = models.TextField(blank=True, help_text="The last assistant message, for comparing.")
    verdict = models.CharField(max_length=6, choices=Verdict.choices, blank=True)
    tags = models.JSONField(default=list, help_text="Primary keys of the project's tags.")
    topic = models.CharField(max_length=120, blank=True)
    difficulty = models.CharField(max_length=6, choices=Difficulty.choices, blank=True)
    comment = models.CharField(max_length=2000, blank=True)
    pair_revision = models.PositiveIntegerField(help_text="Of the pair this response was begun with.")
    revision = models.PositiveIntegerField(default=1)
    seconds = models.PositiveIntegerField(default=0, help_text="Time the pair was open and looked at.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    submitted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["pair", "user"], name="one_response_a_person")]
        indexes = [models.Index(fields=["user", "state", "updated_at"]), models.Index(fields=["pair", "state"])]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_state_display()}"


class Claim(models.Model):
    """A lock with an end: this person is at this pair until ``expires_at``."""

    pair = models.ForeignKey(Pair, on_delete=models.CASCADE, related_name="claims")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pair", "user"], name="one_claim_a_person")]


class Assignment(models.Model):
    """What a person is asked to work on: everything with a tag, or one pair."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="assignments")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, null=True, related_name="assignments")
    pair = models.ForeignKey(Pair, on_delete=models.CASCADE, null=True, related_name="assignments")
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(tag__isnull=False, pair__isnull=True) | Q(tag__isnull=True, pair__isnull=False), name="a_tag_or_a_pair"
            ),
            models.UniqueConstraint(fields=["user", "tag"], condition=Q(tag__isnull=False), name="one_assignment_a_tag"),
            models.UniqueConstraint(fields=["user", "pair"], condition=Q(pair__isnull=False), name="one_assignment_a_pair"),
        ]


class Comment(models.Model):
    """Something said about a pair."""

    pair = models.ForeignKey(Pair, on_delete=models.CASCADE, related_name="comments")
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    text = models.TextField(max_length=4000)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["at", "pk"]


class Mention(models.Model):
    """A member named in a comment; ``read_at`` is when they opened it."""

    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="mentions")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="mentions")
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["comment", "user"], name="one_mention_a_comment")]
