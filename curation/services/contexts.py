"""Questions with their passages, written out for RAFT rows: the one that answers, and others that search brings beside it."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from curation.models import Pair
from curation.sources import Source
from projects.models import Project
from retrieval.embedding import EmbedderAway, embed
from retrieval.models import Chunk
from retrieval.search import look_up
from runs.artifacts import artifact_register
from runs.models import Artifact

CONTEXTS_FILE = "contexts.jsonl"
MOST = 2000  # pairs of one run
SPARE = 5  # passages beyond those wanted: some answer the question themselves and fall out
AT_ONCE = 32  # questions embedded in one request


def contexts_write(
    *, project: Project, pairs: QuerySet[Pair], distractors: int, tick: Callable[[int, int], None] = lambda done, total: None
) -> Artifact:
    """The ``pairs`` that have a source, as a `contexts` artifact. ``tick(done, total)`` after each batch.

    A pair without a passage that holds its evidence is left out; the facts say how many. Without an embedder, passages are found by their
    words alone. Raises ``StoreError`` when the index cannot be read.
    """
    chosen = list(pairs.filter(project=project).exclude(sources=[]).order_by("version_id", "pk")[:MOST])
    settings.ARTIFACT_ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="contexts-", dir=settings.ARTIFACT_ROOT))
    written, mode = 0, "hybrid"
    try:
        with open(folder / CONTEXTS_FILE, "w", encoding="utf-8", newline="\n") as file:
            for begin in range(0, len(chosen), AT_ONCE):
                part = chosen[begin : begin + AT_ONCE]
                vectors = _vectors(part)
                mode = mode if vectors is not None else "keyword"
                for line in _lines(project, part, vectors, distractors + SPARE):
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
                    written += 1
                tick(begin + len(part), len(chosen))
        facts = {"pairs": written, "left_out": len(chosen) - written, "mode": mode}
        return artifact_register(project=project, kind="contexts", folder=folder, facts=facts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _vectors(pairs: Sequence[Pair]) -> Any:
    """A vector a question; None without an embedder."""
    try:
        return embed([pair.question for pair in pairs])
    except EmbedderAway:
        return None


def _lines(project: Project, pairs: Sequence[Pair], vectors: Any, wanted: int) -> Iterator[dict[str, Any]]:
    for number, pair in enumerate(pairs):
        source = pair.source_list[0]
        oracle = _holder(project, source)
        if oracle is None:
            continue
        if vectors is None:
            hits = look_up(project, pair.question, k=wanted, mode="keyword").hits
        else:
            hits = look_up(project, pair.question, k=wanted, vector=vectors[number]).hits
        yield {
            "pair": str(pair.pk),
            "question": pair.question,
            "answer": pair.answer,
            "evidence": source.as_dict(),
            "oracle": _passage(oracle),
            "distractors": [_passage(hit.chunk) for hit in hits if not _answers(hit.chunk, source, pair.answer)],
        }


def _holder(project: Project, source: Source) -> Chunk | None:
    """The passage that holds the whole evidence, as long as its document is there."""
    held = Chunk.objects.filter(version=UUID(source.version), version__document__project=project, version__document__deleted_at=None)
    return held.filter(start__lte=source.start, end__gte=source.end).select_related("version").order_by("ordinal").first()


def _answers(chunk: Chunk, source: Source, answer: str) -> bool:
    """Whether the passage overlaps the evidence, or has its very words elsewhere."""
    if str(chunk.version_id) == source.version and chunk.start < source.end and source.start < chunk.end:
        return True
    text = _joined(chunk.text)
    return _joined(source.evidence) in text or _joined(answer) in text


def _joined(text: str) -> str:
    return " ".join(text.lower().split())


def _passage(chunk: Chunk) -> dict[str, Any]:
    place = {"document": str(chunk.version.document_id), "version": str(chunk.version_id), "page": chunk.page}
    return {"text": chunk.text, **place, "start": chunk.start, "end": chunk.end}
