"""Instruction pairs, how they came to be what they are, and how they are found again."""

import uuid
from typing import Any

from django.db import models
from django.urls import reverse

from curation.sources import Source
from projects.models import Project, User
from runs.models import Artifact

Message = dict[str, str]


class PairStatus(models.TextChoices):
    PENDING = "PENDING", "Waiting for review"
    APPROVED = "APPROVED", "Approved"
    CHANGES = "CHANGES", "Changes asked for"
    REJECTED = "REJECTED", "Rejected"


class Origin(models.TextChoices):
    GENERATED = "generated", "Generated"
    IMPORTED = "imported", "Imported"
    WRITTEN = "written", "Written"
    AUGMENTED = "augmented", "Augmented"
    FEEDBACK = "feedback", "From chat feedback"


class Difficulty(models.TextChoices):
    EASY = "easy", "Easy"
    MEDIUM = "medium", "Medium"
    HARD = "hard", "Hard"


class Tag(models.Model):
    """A label of the project's own. The first nine, in this order, have the keys 1 to 9 while annotating."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=40)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["order", "name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="one_tag_a_name")]

    def __str__(self) -> str:
        return self.name


class Pair(models.Model):
    """A question and the answer the model shall learn, with where the answer stands.

    PENDING → APPROVED | REJECTED | CHANGES, by a reviewer or, to APPROVED only, by the rule.

    - CHANGES → PENDING when somebody has edited it.
    - APPROVED → PENDING when somebody who is no reviewer edits it: what a reviewer vouched for is no longer what stands there.
    - A reviewer may decide again: APPROVED, REJECTED and CHANGES lead to one another, and back to PENDING.

    Every change of status is compare-and-set on ``status``, every edit on ``revision``, both in ``curation.services``.
    ``messages`` is what is trained on. ``question`` and ``answer`` copy its first user and last assistant message, for search and sorting;
    ``question_hash`` is of everything before the last answer, normalised: an import may bring the same twice, generating and writing
    do not.
    ``document_id`` and ``version_id`` are of the first source: keys without a constraint, because an erased document leaves its pairs'
    lineage behind. ``rejected`` holds the worse turns that would stand in place of ``messages[fork:]``, for preference training.
    ``responses_left`` is how many further people may begin on it, ``collected`` how many have submitted: ``curation.services.collecting``
    alone writes both.
    ``words_key`` is the pair's number in SQLite's full-text index, given once by ``curation.search_index``; PostgreSQL needs none.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="pairs")
    messages = models.JSONField()
    question = models.TextField()
    answer = models.TextField(blank=True)
    answer_length = models.PositiveIntegerField(default=0)
    answer_hash = models.BigIntegerField(null=True, editable=False, help_text="Of the answer as it stands, to find those it has in common.")
    question_hash = models.CharField(max_length=64)
    shape = models.CharField(max_length=40, default="free")
    sources = models.JSONField(default=list)
    document_id = models.UUIDField(null=True)
    version_id = models.UUIDField(null=True)
    stale = models.BooleanField(default=False, help_text="Its document has a newer version.")
    origin = models.CharField(max_length=10, choices=Origin.choices)
    made_by = models.CharField(max_length=200, blank=True, help_text="The stage and its model, the file and its line, the method.")
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="variants", db_index=False)
    rejected = models.JSONField(default=list, help_text="For preference training: the worse turns in place of messages[fork:].")
    fork = models.PositiveSmallIntegerField(null=True)
    topic = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=8, blank=True, help_text="ISO 639-1.")
    difficulty = models.CharField(max_length=6, choices=Difficulty.choices, blank=True)
    tags = models.ManyToManyField(Tag, through="PairTag", related_name="pairs")
    extra = models.JSONField(default=dict, help_text="Columns of an import that mean nothing here, for its export.")
    responses_left = models.PositiveSmallIntegerField(default=1)
    collected = models.PositiveSmallIntegerField(default=0)
    disputed = models.BooleanField(default=False, help_text="Its responses do not agree.")
    artifact = models.ForeignKey(Artifact, on_delete=models.SET_NULL, null=True, related_name="pairs", db_index=False)
    artifact_row = models.PositiveIntegerField(null=True, help_text="Its line in the artifact's pairs.jsonl, from 1.")
    status = models.CharField(max_length=10, choices=PairStatus.choices, default=PairStatus.PENDING)
    note = models.CharField(max_length=500, blank=True, help_text="What the reviewer asks for.")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    decided_by_rule = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True)
    edited = models.BooleanField(default=False)
    revision = models.PositiveIntegerField(default=1)
    words_key = models.BigIntegerField(null=True, unique=True, editable=False)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["artifact", "artifact_row"], name="a_row_is_taken_in_once")]
        # Each costs every pair that is taken in; foreign keys have none of their own where one of these begins with them, or where
        # it would help to delete a person alone. The project has: by it SQLite reads pairs in the order they lie in, where it needs
        # their texts.
        indexes = [
            models.Index(fields=["project", "question_hash"]),
            # what filters ask about, without the texts: the table is filtered, searched, sorted and counted in it alone
            models.Index(
                name="pair_facts",
                fields="""project status created_at id words_key topic shape difficulty language origin document_id stale edited disputed
                    collected answer_length created_by decided_by decided_at decided_by_rule parent fork""".split(),
            ),
            models.Index(fields=["project", "status", "responses_left", "created_at"]),
            models.Index(fields=["project", "answer_length", "id"], name="pair_lengths"),
            models.Index(fields=["project", "answer_hash", "status"], name="pair_answers"),
            models.Index(fields=["project", "topic"]),
            models.Index(fields=["project", "shape"]),
            models.Index(fields=["project", "document_id"]),
            models.Index(fields=["project", "created_at", "id", "words_key"], name="pair_order"),
            models.Index(fields=["parent"], name="pair_variants", condition=models.Q(parent__isnull=False)),
            models.Index(fields=["version_id"], name="pair_versions", condition=models.Q(version_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.question

    def get_absolute_url(self) -> str:
        return reverse("curation:pair", args=[self.project.slug, self.pk])

    @property
    def source_list(self) -> list[Source]:
        return [Source.from_dict(item) for item in self.sources]

    @property
    def system(self) -> str:
        return next((message["content"] for message in self.messages if message["role"] == "system"), "")

    @property
    def origin_words(self) -> str:
        """How it came to be: "generated by extract_pairs, run 1a2b3c4d", "imported from faq.csv, line 7", "written by Ada"."""
        if self.origin == Origin.WRITTEN:
            return f"written by {self.created_by or 'somebody who has left'}"
        run = self.artifact.produced_by_id if self.artifact else None
        words = {Origin.IMPORTED: "imported from", Origin.FEEDBACK: "from chat with"}.get(Origin(self.origin), f"{self.origin} by")
        return ", ".join([f"{words} {self.made_by}" if self.made_by else str(self.origin), *([f"run {str(run)[:8]}"] if run else [])])

    @property
    def decided_words(self) -> str:
        """Who decided: a person, or the rule by its name."""
        if self.decided_by_rule:
            return f"rule: {self.decided_by_rule}"
        return str(self.decided_by) if self.decided_by else ""


class PairTag(models.Model):
    """A tag on a pair."""

    pair = models.ForeignKey(Pair, on_delete=models.CASCADE, related_name="pair_tags", db_index=False)
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="pair_tags")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pair", "tag"], name="one_tag_a_pair")]


class PairChange(models.Model):
    """One line of a pair's history: who changed what, from what to what. ``by`` is empty for the studio itself."""

    pair = models.ForeignKey(Pair, on_delete=models.CASCADE, related_name="changes")
    at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    by_rule = models.CharField(max_length=80, blank=True)
    before: Any = models.JSONField(default=dict)
    after: Any = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at", "-pk"]


class SavedFilter(models.Model):
    """A filter of the table by name: one's own, or the team's when ``shared``."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_filters")
    by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    tree = models.JSONField(help_text="What curation.filters reads.")
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "by", "name"], name="one_filter_a_name")]

    def __str__(self) -> str:
        return self.name
