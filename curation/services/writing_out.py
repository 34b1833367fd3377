"""Writing pairs out for a run: the engine never opens the database."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from curation.documents import current_versions, version_texts
from curation.models import Pair
from curation.sources import Source
from projects.models import Project
from retrieval.batches import BATCH
from runs.artifacts import artifact_register
from runs.models import Artifact

PAIRS_FILE, DOCUMENTS_FILE = "pairs.jsonl", "documents.jsonl"
AROUND = 600  # characters of the document before and after the evidence, cut between words
BETWEEN = "\n…\n"  # passages of a pair that draws on several


def pair_rows(
    project: Project, pairs: QuerySet[Pair], *, splits: Mapping[str, str] | None = None, facts: Mapping[str, Any] | None = None
) -> Artifact:
    """The ``pairs`` of ``project`` as a `pair-rows` artifact, a line each, sorted by the document version they draw on.

    Streams: memory holds one batch and a few documents. ``splits`` (pair id → train, validation or test) is written beside each pair,
    ``facts`` beside the counts.
    """
    settings.ARTIFACT_ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="pair-rows-", dir=settings.ARTIFACT_ROOT))  # beside the store: taking it over is a rename
    try:
        count = 0
        with open(folder / PAIRS_FILE, "w", encoding="utf-8", newline="\n") as file:
            for row in _rows(project, pairs):
                if splits is not None:
                    row["split"] = splits.get(row["id"], "train")
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
        documents = _documents(project)
        with open(folder / DOCUMENTS_FILE, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in documents)
        all_facts = {"pairs": count, "documents": len(documents), **(facts or {})}
        return artifact_register(project=project, kind="pair-rows", folder=folder, facts=all_facts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rows(project: Project, pairs: QuerySet[Pair]) -> Iterator[dict[str, Any]]:
    found = pairs.filter(project=project).select_related(None).prefetch_related("tags").order_by("version_id", "pk")
    texts = version_texts(project)
    for pair in found.iterator(BATCH):
        yield _row(pair, texts)


def _row(pair: Pair, texts: Callable[[str], str]) -> dict[str, Any]:
    decided = ("rule" if pair.decided_by_rule else "person") if pair.decided_at else ""
    row: dict[str, Any] = {
        "id": str(pair.pk),
        "messages": pair.messages,
        "rejected": pair.rejected,
        "fork": pair.fork,
        "shape": pair.shape,
        "topic": pair.topic,
        "language": pair.language,
        "difficulty": pair.difficulty,
        "tags": [tag.name for tag in pair.tags.all()],
        "sources": pair.sources,
        "parent": str(pair.parent_id) if pair.parent_id else None,
        "extra": pair.extra,
        "status": pair.status,
        "decided": decided,
        "origin": pair.origin,
        "stale": pair.stale,
        "document": str(pair.document_id) if pair.document_id else None,
        "created_at": pair.created_at.isoformat(),
        "context": _context(pair, texts),
    }
    return {name: value for name, value in row.items() if value not in (None, "", [], {})}


def _context(pair: Pair, texts: Callable[[str], str]) -> str:
    """The passages around the pair's evidence; the evidence alone where it no longer stands in its document."""
    return BETWEEN.join(part for source in pair.source_list if (part := _passage(source, texts(source.version))))


def _passage(source: Source, text: str) -> str:
    if not source.holds_in(text):
        return source.evidence
    start, end = max(0, source.start - AROUND), min(len(text), source.end + AROUND)
    before, after = text[start : source.start], text[source.end : end]
    if start and " " in before:
        before = before.split(" ", 1)[1]
    if end < len(text) and " " in after:
        after = after.rsplit(" ", 1)[0]
    return before + source.evidence + after


def _documents(project: Project) -> list[dict[str, Any]]:
    """The documents that count today, whether they have pairs or not."""
    return [
        {
            "id": str(version.document_id),
            "version": str(version.pk),
            "name": version.document.name,
            "chunks": version.chunk_count,
            "characters": version.characters,
        }
        for version in current_versions(project)
    ]
