"""Passages of documents that were read, beside pairs that were seeded: what the gate compares pairs and documents by."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.python_topics import topic_pairs

DIMENSIONS = 384  # of the built-in embedding model


def passages_seed(project: Any, count: int, embedder: str) -> None:
    """Have ``project``'s documents read: together ``count`` paragraphs of the Python reference, a passage each, that no pair draws on.

    Their vectors are made up, and the artifact's facts name ``embedder`` as the model they are from: comparing costs the same.
    """
    import numpy
    from django.conf import settings

    from engine.lib.jsonl import write_lines
    from engine.lib.passages import SHORTEST
    from retrieval.models import Chunk, Document, DocumentVersion, VersionStatus, chunk_id
    from runs.artifacts import artifact_register

    texts = [answer for pairs in topic_pairs().values() for _, answer in pairs if len(answer) >= SHORTEST]
    documents = list(Document.objects.filter(project=project).order_by("name"))
    versions = [
        DocumentVersion(document=document, number=1, bytes=1, media_type="text/markdown", sha256="0" * 64, status=VersionStatus.READY)
        for document in documents
    ]
    DocumentVersion.objects.bulk_create(versions)
    for document, version in zip(documents, versions, strict=True):
        document.current = document.latest = version
    Document.objects.bulk_update(documents, ["current", "latest"], batch_size=500)
    chunks, lengths = [], [0] * len(versions)
    for number in range(count):
        place, text = number % len(versions), texts[number % len(texts)]
        start, version = lengths[place], versions[place]
        ordinal = number // len(versions)
        chunks.append(
            Chunk(id=chunk_id(version.pk, ordinal), version=version, ordinal=ordinal, text=text, start=start, end=start + len(text))
        )
        lengths[place] += len(text) + 2
    Chunk.objects.bulk_create(chunks, batch_size=500)
    settings.ARTIFACT_ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="chunks-", dir=settings.ARTIFACT_ROOT))
    try:
        write_lines(folder / "documents.jsonl", [{"id": str(one.document_id), "version": str(one.pk), "status": "ok"} for one in versions])
        write_lines(folder / "chunks.jsonl", [_line(chunk) for chunk in chunks])
        vectors = numpy.random.default_rng(7).normal(size=(count, DIMENSIONS)).astype("float32")
        numpy.save(folder / "vectors.npy", vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True), allow_pickle=False)
        artifact = artifact_register(project=project, kind="chunks", folder=folder, facts={"embedder": embedder})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    DocumentVersion.objects.filter(pk__in=[one.pk for one in versions]).update(artifact=artifact)


def _line(chunk: Any) -> dict[str, Any]:
    document, version = str(chunk.version.document_id), str(chunk.version_id)
    place = {"document": document, "version": version, "ordinal": chunk.ordinal, "start": chunk.start, "end": chunk.end}
    return place | {"text": chunk.text, "headings": []}
