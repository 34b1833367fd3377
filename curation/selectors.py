"""What pages and other apps read of pairs and dataset versions."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Subquery
from django.urls import reverse

from curation.models import DatasetVersion, Origin, Pair, PairChange, PairStatus
from projects.models import Project
from runs.artifacts import artifact_path

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
        pairs = _with_problem(project, pairs, query.problem)
    if query.text:
        pairs = pairs.filter(Q(question__icontains=query.text) | Q(answer__icontains=query.text))
    key = query.sort.removeprefix("-")
    return pairs.order_by(query.sort, "pk") if key in SORTS else pairs.order_by("created_at", "pk")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)  # matches nothing


def _with_problem(project: Project, pairs: QuerySet[Pair], problem: str) -> QuerySet[Pair]:
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
    from curation.documents import document_names

    names = document_names(project)
    ids = set(Pair.objects.filter(project=project).order_by().values_list("document_id", flat=True).distinct())
    rows = sorted(((str(pk), names.get(pk, "A deleted document")) for pk in ids if pk), key=lambda row: row[1].casefold())
    return [*rows, ("none", "No document")] if None in ids else rows


def next_to_review(project: Project, query: Query, after: Pair | None = None) -> Pair | None:
    """The next pair in the table's order that waits for review, from the beginning again after the last."""
    waiting = pairs_of(project, Query(**{**query.__dict__, "status": PairStatus.PENDING.value, "sort": ""}))
    if after is None:
        return waiting.first()
    later = waiting.filter(Q(created_at__gt=after.created_at) | Q(created_at=after.created_at, pk__gt=after.pk))
    return later.first() or waiting.exclude(pk=after.pk).first()


def place_in_review(project: Project, query: Query) -> int:
    """How many of those that match wait for review."""
    return pairs_of(project, Query(**{**query.__dict__, "status": PairStatus.PENDING.value})).count()


@dataclass(frozen=True)
class Check:
    """One thing that is looked at before training: how many pairs it concerns, and what to do about them."""

    title: str
    count: int
    text: str
    problem: str
    blocks: bool = False

    @property
    def tone(self) -> str:
        return "good" if not self.count else "bad" if self.blocks else "warning"


def checks_before_training(project: Project) -> list[Check]:
    """What is said before training starts, about the approved pairs. Five queries, however many pairs there are."""
    approved = Pair.objects.filter(project=project, status=PairStatus.APPROVED)
    count = approved.count()
    tokens = context_tokens()
    few = "Training is worth it from about 100 pairs; above 1,000 it gets reliable."
    return [
        Check("Enough pairs", 0 if count >= 100 else 1, f"{count:,} approved. {few}", "", blocks=count < 10),
        Check(
            "Empty answers",
            approved.filter(answer_length=0).count(),
            "A model learns silence from them. Write the answer or reject them.",
            "empty",
            True,
        ),
        Check(
            "Answers longer than the context",
            approved.filter(answer_length__gt=longest_answer()).count(),
            f"More than about {longest_answer():,} characters do not fit into {tokens:,} tokens: the end is cut. Shorten or split them.",
            "long",
        ),
        Check(
            "The same answer twice",
            _with_problem(project, approved, "same").count(),
            "The model hears these more often than the others. Keep the better question.",
            "same",
        ),
        Check(
            "From an older document",
            approved.filter(stale=True).count(),
            "Their document has a newer version. Check that the answers still hold.",
            "stale",
        ),
    ]


def questions_of(project: Project) -> list[tuple[str, UUID, int, int]]:
    """(question, document, start, end) of generated pairs that were not rejected: what search is measured on."""
    kept = [PairStatus.APPROVED, PairStatus.PENDING]
    pairs = Pair.objects.filter(project=project, origin=Origin.GENERATED, status__in=kept).exclude(document_id=None)
    rows = pairs.order_by("question_hash").values_list("question", "document_id", "sources")
    return [(question, document, sources[0]["start"], sources[0]["end"]) for question, document, sources in rows if document and sources]


def made_from(versions: Sequence[UUID], *, stale: bool) -> list[dict[str, Any]]:
    """What curation made from versions of documents, for their page. ``stale`` marks the pairs as such."""
    pairs = Pair.objects.filter(version_id__in=versions)
    rows = list(pairs.order_by().values("project__slug").annotate(count=Count("pk")))
    if stale:
        pairs.update(stale=True)
    return [
        {
            "title": f"{row['count']:,} {'pair' if row['count'] == 1 else 'pairs'}",
            "url": reverse("curation:pairs", args=[row["project__slug"]]) + ("?problem=stale" if stale else ""),
            "stale": stale,
        }
        for row in rows
    ]


def pairs_sample(project: Project, *, count: int, seed: int) -> list[Pair]:
    """``count`` pairs at random, the same ones each time for a seed."""
    keys = list(Pair.objects.filter(project=project).order_by("question_hash").values_list("pk", flat=True))
    chosen = random.Random(seed).sample(keys, min(count, len(keys)))
    found = Pair.objects.in_bulk(chosen)
    return [found[pk] for pk in chosen]


def dataset_versions(project: Project) -> QuerySet[DatasetVersion]:
    return DatasetVersion.objects.filter(project=project).select_related("artifact", "created_by")


def preview_words(facts: Mapping[str, int], pairs: int) -> str:
    """What a generating run would read, before it is started."""
    there = f" Questions that are among the {pairs:,} pairs already are left out." if pairs else ""
    return f"It reads {facts['chunks']:,} passages of {facts['documents']:,} documents.{there}"


def dataset_stats(version: DatasetVersion) -> list[dict[str, Any]]:
    """Pairs and documents a split, for the tiles of its page."""
    return [
        {
            "label": split.capitalize(),
            "value": count,
            "unit": "pairs",
            "note": f"{len(version.documents[split]):,} documents",
        }
        for split, count in version.counts.items()
    ]


def shapes_chart(shapes: Mapping[str, int]) -> dict[str, Any]:
    rows = sorted(shapes.items(), key=lambda row: row[1])
    return {
        "kind": "bar",
        "x": {"title": "", "type": "category"},
        "y": {"title": "Pairs"},
        "series": [
            {
                "name": "Pairs",
                "x": [shape_words(shape) for shape, _ in rows],
                "y": [times for _, times in rows],
                "horizontal": True,
            }
        ],
    }


def same_content(version: DatasetVersion) -> QuerySet[DatasetVersion]:
    """Other versions of the project whose files are the same, byte for byte."""
    return DatasetVersion.objects.filter(project=version.project_id, sha256=version.sha256).exclude(pk=version.pk).order_by("number")


def examples_of(version: DatasetVersion, split: str, count: int = 5) -> list[dict[str, str]]:
    """The first questions and answers of a split, from its file; empty when the files were erased."""
    path = artifact_path(version.artifact) / f"{split}.jsonl"
    if not path.is_file():
        return []
    examples = []
    with open(path, encoding="utf-8") as lines:
        for line, _ in zip(lines, range(count), strict=False):
            messages = json.loads(line)["messages"]
            words = {message["role"]: message["content"] for message in messages}
            examples.append({"question": words.get("user", ""), "answer": words.get("assistant", "")})
    return examples


def dataset_documents(version: DatasetVersion) -> list[dict[str, Any]]:
    """Split, number of its documents and their names, for the data card."""
    from curation.documents import document_names

    names = {str(pk): name for pk, name in document_names(version.project).items()}
    return [
        {"split": split, "names": sorted((names.get(pk, "A deleted document") for pk in ids), key=str.casefold)}
        for split, ids in version.documents.items()
    ]


def history_of(pair: Pair) -> QuerySet[PairChange]:
    """Who changed the pair, newest first."""
    return pair.changes.select_related("by")[:50]
