"""What pages and other apps read of pairs."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from curation.documents import document_names
from curation.filters import Condition, Group, filter_q, filter_text
from curation.models import Origin, Pair, PairChange, PairStatus
from curation.query import Query, context_tokens, longest_answer, problems
from projects.models import Project

SORTS = {"question", "answer_length", "shape", "status", "topic", "difficulty", "created_at", "decided_at"}
__all__ = ["Query", "context_tokens", "longest_answer"]  # others read them from here
PROBLEMS = {
    "long": "Answer too long",
    "empty": "Answer empty",
    "same": "Answer of another pair",
    "stale": "Document has changed",
}


def pairs_of(project: Project, query: Query | None = None) -> QuerySet[Pair]:
    """The project's pairs that match, in the order asked for."""
    query = query or Query()
    pairs = Pair.objects.filter(filter_q(project, query.group), project=project)
    key = query.sort.removeprefix("-")
    return pairs.order_by(query.sort, "pk") if key in SORTS else pairs.order_by("created_at", "pk")


def with_problem(project: Project, pairs: QuerySet[Pair], problem: str) -> QuerySet[Pair]:
    return pairs.filter(filter_q(project, Group("all", (problems()[problem],))))


def pair_counts(project: Project) -> dict[str, int]:
    """How many pairs there are in all, and by status."""
    found = dict(Pair.objects.filter(project=project).order_by().values_list("status").annotate(times=Count("*")))
    counts = {status: found.get(status, 0) for status in PairStatus.values}
    return {**counts, "all": sum(counts.values()), "waiting": counts[PairStatus.PENDING.value]}


def shapes_of(project: Project) -> list[tuple[str, str]]:
    """(shape, words with its count), most frequent first."""
    rows = Pair.objects.filter(project=project).order_by().values_list("shape").annotate(times=Count("*")).order_by("-times", "shape")
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
    waiting = pairs_of(project, replace(query, status=PairStatus.PENDING.value, sort=""))
    if after is None:
        return waiting.first()
    later = waiting.filter(Q(created_at__gt=after.created_at) | Q(created_at=after.created_at, pk__gt=after.pk))
    return later.first() or waiting.exclude(pk=after.pk).first()


def place_in_review(project: Project, query: Query) -> int:
    """How many of those that match wait for review."""
    return pairs_of(project, replace(query, status=PairStatus.PENDING.value)).count()


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


def preference_and_variants(pair: Pair) -> dict[str, Any]:
    """For the page of one pair: how it goes on and how it should not, and how many were made from it, with the address of those."""
    preference = {"chosen": pair.messages[pair.fork :], "rejected": pair.rejected} if pair.fork is not None else None
    made = filter_text(Group("all", (Condition("parent", "is", str(pair.pk)),)))
    return {"preference": preference, "variants": pair.variants.count(), "variants_filter": made}
