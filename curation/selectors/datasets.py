"""What pages read of dataset versions, and of what goes into the next."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from curation.documents import deleted_among, document_names
from curation.filters import FilterError, filter_parse
from curation.models import DatasetVersion, Pair, PairStatus
from curation.selectors.filters import filter_words
from curation.selectors.pairs import context_tokens, longest_answer, shape_words, with_problem
from curation.splitting import SPLITS
from projects.models import Project
from retrieval.jsonl import read_rows
from runs.artifacts import artifact_path

TOPICS_SHOWN = 20
COMPARED = 50  # versions offered for a comparison


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
            with_problem(project, approved, "same").count(),
            "The model hears these more often than the others. Keep the better question.",
            "same",
        ),
        Check(
            "From an older document",
            approved.filter(stale=True).count(),
            "Their document has a newer version or was deleted. Check that the answers still hold.",
            "stale",
        ),
    ]


def dataset_versions(project: Project) -> QuerySet[DatasetVersion]:
    return DatasetVersion.objects.filter(project=project).select_related("artifact", "created_by")


def dataset_stats(version: DatasetVersion) -> list[dict[str, Any]]:
    """Pairs and documents a split, for the tiles of its page."""
    return [
        {
            "label": split.capitalize(),
            "value": count,
            "unit": "pairs",
            "note": f"{len(version.documents[split]):,} {'document' if len(version.documents[split]) == 1 else 'documents'}",
        }
        for split, count in version.counts.items()
    ]


def topics_chart(topics: Mapping[str, Mapping[str, int]]) -> dict[str, Any] | None:
    """Pairs by topic and split, most frequent topics first; None where there are no two topics."""
    if len(topics) < 2:
        return None
    rows = sorted(topics.items(), key=lambda row: (sum(row[1].values()), row[0]))[-TOPICS_SHOWN:]
    names = [topic or "No topic" for topic, _ in rows]
    series = [{"name": split.capitalize(), "x": names, "y": [counts[split] for _, counts in rows]} for split in SPLITS]
    axes = {"x": {"title": "", "type": "category"}, "y": {"title": "Pairs"}}
    return {"kind": "bar", "horizontal": True, "stacked": True, **axes, "series": series}


def shapes_chart(shapes: Mapping[str, int]) -> dict[str, Any]:
    rows = sorted(shapes.items(), key=lambda row: row[1])
    return {
        "kind": "bar",
        "horizontal": True,
        "x": {"title": "", "type": "category"},
        "y": {"title": "Pairs"},
        "series": [
            {
                "name": "Pairs",
                "x": [shape_words(shape) for shape, _ in rows],
                "y": [times for _, times in rows],
            }
        ],
    }


def same_content(version: DatasetVersion) -> QuerySet[DatasetVersion]:
    """Other versions of the project whose files are the same, byte for byte."""
    return DatasetVersion.objects.filter(project=version.project_id, sha256=version.sha256).exclude(pk=version.pk).order_by("number")


def examples_of(version: DatasetVersion, split: str, count: int = 5) -> list[dict[str, str]]:
    """The first questions and answers of a split, from its file; empty when the files were erased."""
    examples = []
    for row in islice(rows_of(version, split), count):
        question = next((turn["content"] for turn in row["messages"] if turn["role"] == "user"), "")
        examples.append({"question": question, "answer": row["messages"][-1]["content"], "topic": row.get("topic", "")})
    return examples


def rows_of(version: DatasetVersion, split: str) -> Iterator[dict[str, Any]]:
    """The rows of a split's file; none when the files were erased."""
    path = artifact_path(version.artifact) / f"{split}.jsonl"
    return read_rows(path) if path.is_file() else iter(())


def erased_words(version: DatasetVersion) -> str:
    """How many of its pairs come from documents that were erased, in words; empty where none do."""
    gone = deleted_among(version.project, {document for kept in version.documents.values() for document in kept})
    rows = (row for split in version.counts for row in rows_of(version, split)) if gone else ()
    count = sum(1 for row in rows if any(source["document"] in gone for source in row["sources"]))
    if not count:
        return ""
    return f"{count:,} {'pair comes' if count == 1 else 'pairs come'} from {'a document' if len(gone) == 1 else 'documents'} erased since."


def filter_words_of(project: Project, text: str) -> str:
    """A filter in an address, in words; empty for none and for one that cannot be read, which the form then says."""
    try:
        group = filter_parse(text)
    except FilterError:
        return ""
    return filter_words(project, group) if group.parts else ""


def others_of(version: DatasetVersion) -> list[DatasetVersion]:
    """The versions it can be compared with, newest first."""
    there = DatasetVersion.objects.filter(project=version.project_id, artifact__ready=True).exclude(pk=version.pk)
    return list(there.only("number", "project_id").order_by("-number")[:COMPARED])


def dataset_documents(version: DatasetVersion) -> list[dict[str, Any]]:
    """Split, number of its documents and their names, for the data card."""
    names = {str(pk): name for pk, name in document_names(version.project).items()}
    return [
        {"split": split, "names": sorted((names.get(pk, "A deleted document") for pk in ids), key=str.casefold)}
        for split, ids in version.documents.items()
    ]
