"""What pages and other apps read of pairs."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Subquery
from django.urls import reverse

from curation.documents import document_names
from curation.models import Origin, Pair, PairChange, PairStatus
from projects.models import Project

SORTS = {"question", "answer_length", "shape", "status", "created_at"}
PROBLEMS = {
    "long": "Answer too long",
    "empty": "Answer empty",
    "same": "Answer of another pair",
    "stale": "Document has changed",
}
CHARACTERS_A_TOKEN = 3.5  # of English in small vocabularies; the training stage counts exactly
DEFAULT_CONTEXT = 1024


@dataclass(frozen=True)
class Query:
    """Which of a project's pairs are meant; a table's filters, and what "all that match" means in a bulk action."""

    status: str = ""
    shape: str = ""
    document: str = ""
    problem: str = ""
    text: str = ""
    sort: str = ""

    @classmethod
    def from_get(cls, data: Mapping[str, str]) -> "Query":
        names = {"q": "text"}
        keys = ("status", "shape", "document", "problem", "q", "sort")
        return cls(**{names.get(key, key): data.get(key, "").strip() for key in keys})

    def described(self) -> str:
        """For the audit log: the filters, not the words that were searched for."""
        parts = [f"{name}={value}" for name in ("status", "shape", "document", "problem") if (value := getattr(self, name))]
        return ", ".join([*parts, *(["search"] if self.text else [])]) or "all"


def pairs_of(project: Project, query: Query = Query()) -> QuerySet[Pair]:
    """The project's pairs that match, in the order asked for."""
    pairs = Pair.objects.filter(project=project)
    if query.status in PairStatus.values:
        pairs = pairs.filter(status=query.status)
    if query.shape:
        pairs = pairs.filter(shape=query.shape)
    if query.document:
        pairs = pairs.filter(document_id=_uuid(query.document)) if query.document != "none" else pairs.filter(document_id=None)
    if query.problem in PROBLEMS:
        pairs = with_problem(project, pairs, query.problem)
    if query.text:
        pairs = pairs.filter(Q(question__icontains=query.text) | Q(answer__icontains=query.text))
    key = query.sort.removeprefix("-")
    return pairs.order_by(query.sort, "pk") if key in SORTS else pairs.order_by("created_at", "pk")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)  # matches nothing


def with_problem(project: Project, pairs: QuerySet[Pair], problem: str) -> QuerySet[Pair]:
    if problem == "empty":
        return pairs.filter(answer_length=0)
    if problem == "stale":
        return pairs.filter(stale=True)
    if problem == "long":
        return pairs.filter(answer_length__gt=longest_answer())
    return pairs.filter(answer__in=Subquery(_answers_twice(project)))


def _answers_twice(project: Project) -> QuerySet[Pair, Any]:
    kept = Pair.objects.filter(project=project).exclude(status=PairStatus.REJECTED)
    return kept.order_by().values("answer").annotate(times=Count("pk")).filter(times__gt=1).values("answer")


def context_tokens() -> int:
    """The longest text that training reads with its defaults, in tokens."""
    from engine import registry

    try:
        return int(registry.get("sft").schema()["properties"]["max_length"]["default"])
    except (registry.RegistryError, KeyError, TypeError):
        return DEFAULT_CONTEXT


def longest_answer() -> int:
    """Characters above which an answer is probably cut by the context."""
    return int(context_tokens() * CHARACTERS_A_TOKEN)


def pair_counts(project: Project) -> dict[str, int]:
    """How many pairs there are in all, and by status."""
    by_status = {status: Count("pk", filter=Q(status=status)) for status in PairStatus.values}
    counts = Pair.objects.filter(project=project).aggregate(all=Count("pk"), **by_status)
    return {**counts, "waiting": counts[PairStatus.PENDING.value]}


def shapes_of(project: Project) -> list[tuple[str, str]]:
    """(shape, words with its count), most frequent first."""
    rows = Pair.objects.filter(project=project).order_by().values_list("shape").annotate(times=Count("pk")).order_by("-times", "shape")
    return [(shape, f"{shape_words(shape)} ({times:,})") for shape, times in rows]


def shape_words(shape: str) -> str:
    return shape.replace("_", " ").replace("-", " ").capitalize()


def documents_with_pairs(project: Project) -> list[tuple[str, str]]:
    """(document id, name) of the documents that pairs come from, by name; "none" for pairs without one."""
    names = document_names(project)
    ids = set(Pair.objects.filter(project=project).order_by().values_list("document_id", flat=True).distinct())
    rows = sorted(((str(pk), names.get(pk, "A deleted document")) for pk in ids if pk), key=lambda row: row[1].casefold())
    return [*rows, ("none", "No document")] if None in ids else rows


def next_to_review(project: Project, query: Query, after: Pair | None = None) -> Pair | None:
    """The next pair that waits for review, oldest first whatever the table's order, from the beginning again after the last."""
    waiting = pairs_of(project, Query(**{**query.__dict__, "status": PairStatus.PENDING.value, "sort": ""}))
    if after is None:
        return waiting.first()
    later = waiting.filter(Q(created_at__gt=after.created_at) | Q(created_at=after.created_at, pk__gt=after.pk))
    return later.first() or waiting.exclude(pk=after.pk).first()


def place_in_review(project: Project, query: Query) -> int:
    """How many of those that match wait for review."""
    return pairs_of(project, Query(**{**query.__dict__, "status": PairStatus.PENDING.value})).count()


def questions_of(project: Project) -> list[tuple[str, UUID, int, int]]:
    """(question, document, start, end) of generated pairs that were not rejected: what search is measured on.

    Not of stale ones: their evidence stood in a text that search does not look through any more.
    """
    kept = [PairStatus.APPROVED, PairStatus.PENDING]
    pairs = Pair.objects.filter(project=project, origin=Origin.GENERATED, status__in=kept, stale=False).exclude(document_id=None)
    rows = pairs.order_by("question_hash").values_list("question", "document_id", "sources")
    return [(question, document, sources[0]["start"], sources[0]["end"]) for question, document, sources in rows if document and sources]


def made_from(versions: Sequence[UUID], *, mark: bool) -> list[dict[str, Any]]:
    """What curation made from versions of documents, for their page. ``mark`` makes the pairs stale."""
    pairs = Pair.objects.filter(version_id__in=versions)
    if mark:
        pairs.update(stale=True)
    return [
        {
            "title": f"{row['count']:,} {'pair' if row['count'] == 1 else 'pairs'}",
            "url": reverse("curation:pairs", args=[row["project__slug"]]) + ("?problem=stale" if row["stale"] else ""),
            "stale": row["stale"],
        }
        for row in pairs.order_by("stale").values("project__slug", "stale").annotate(count=Count("pk"))
    ]


def pairs_sample(project: Project, *, count: int, seed: int) -> list[Pair]:
    """``count`` pairs at random, the same ones each time for a seed."""
    keys = list(Pair.objects.filter(project=project).order_by("question_hash").values_list("pk", flat=True))
    chosen = random.Random(seed).sample(keys, min(count, len(keys)))
    found = Pair.objects.in_bulk(chosen)
    return [found[pk] for pk in chosen]


def preview_words(facts: Mapping[str, int], pairs: int) -> str:
    """What a generating run would read, before it is started."""
    there = f" Questions that are among the {pairs:,} pairs already are left out." if pairs else ""
    return f"It reads {facts['chunks']:,} passages of {facts['documents']:,} documents.{there}"


def history_of(pair: Pair) -> QuerySet[PairChange]:
    """Who changed the pair, newest first."""
    return pair.changes.select_related("by")[:50]
