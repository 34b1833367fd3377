"""The passages of a whole project as one artifact, for stages that work on all documents."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from projects.models import Project
from retrieval import files
from retrieval.models import Chunk, Document, DocumentVersion
from runs.artifacts import artifact_path, artifact_register
from runs.models import Artifact


def chunks_artifact(*, project: Project) -> Artifact | None:
    """A ``chunks`` artifact of exactly the versions that are searched now; None where nothing has been read.

    Where one run read them all, that run's own artifact; else they are written together once, and found again while nothing changes.
    """
    documents = Document.objects.filter(project=project, deleted_at=None, current__isnull=False).select_related("current").order_by("name")
    versions = [document.current for document in documents if document.current]
    if not versions:
        return None
    wanted = sorted(str(version.pk) for version in versions)
    for artifact in Artifact.objects.filter(project=project, kind="chunks", ready=True).order_by("-created_at"):
        if "chunks" in artifact.facts and _versions_in(artifact) == wanted:
            return artifact
    return _write(project, versions)


def _versions_in(artifact: Artifact) -> list[str]:
    """The versions it holds text of."""
    try:
        with open(artifact_path(artifact) / "documents.jsonl", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines if line.strip()]
    except OSError:
        return []
    return sorted(row["version"] for row in rows if row["status"] == "ok")


def _write(project: Project, versions: list[DocumentVersion]) -> Artifact:
    import numpy as np

    settings.ARTIFACT_ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="chunks-", dir=settings.ARTIFACT_ROOT))
    try:
        (folder / "texts").mkdir()
        sources: dict[UUID, Any] = {}
        vectors = []
        with (
            open(folder / "documents.jsonl", "w", encoding="utf-8") as documents,
            open(folder / "chunks.jsonl", "w", encoding="utf-8") as chunks,
        ):
            for version in versions:
                files.link_or_copy(version.text_path, folder / "texts" / f"{version.pk}.txt")
                documents.write(json.dumps(_document_row(version), ensure_ascii=False) + "\n")
                rows = _vectors_of(version, sources)
                for chunk in Chunk.objects.filter(version=version).order_by("ordinal"):
                    chunks.write(json.dumps(_chunk_row(version, chunk), ensure_ascii=False) + "\n")
                    vectors.append(rows[chunk.ordinal])
        found = np.asarray(vectors, dtype=np.float32)
        np.save(folder / "vectors.npy", found)
        embedder = next((version.artifact.facts.get("embedder", "") for version in versions if version.artifact), "")
        facts = {"documents": len(versions), "chunks": len(vectors), "merged": True, "embedder": embedder}
        facts["made_from"] = sorted({str(version.artifact_id) for version in versions})
        return artifact_register(project=project, kind="chunks", folder=folder, facts=facts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _vectors_of(version: DocumentVersion, sources: dict[UUID, Any]) -> dict[int, Any]:
    """Ordinal → vector, from the artifact that the version was taken in from."""
    import numpy as np

    assert version.artifact is not None
    if version.artifact.pk not in sources:
        folder = artifact_path(version.artifact)
        places: dict[str, dict[int, int]] = {}
        with open(folder / "chunks.jsonl", encoding="utf-8") as lines:
            for number, line in enumerate(line for line in lines if line.strip()):
                row = json.loads(line)
                places.setdefault(row["version"], {})[row["ordinal"]] = number
        sources[version.artifact.pk] = (np.load(folder / "vectors.npy", mmap_mode="r"), places)
    vectors, places = sources[version.artifact.pk]
    return {ordinal: vectors[number] for ordinal, number in places.get(str(version.pk), {}).items()}


def _document_row(version: DocumentVersion) -> dict[str, Any]:
    return {
        "id": str(version.document_id),
        "version": str(version.pk),
        "name": version.document.name,
        "status": "ok",
        "title": version.title,
        "language": version.language,
        "pages": version.pages,
        "characters": version.characters,
        "text_file": f"texts/{version.pk}.txt",
        "page_starts": version.page_starts,
        "error": None,
        "findings": version.findings,
    }


def _chunk_row(version: DocumentVersion, chunk: Chunk) -> dict[str, Any]:
    names = ("ordinal", "text", "start", "end", "page", "page_end", "headings", "tokens")
    return {
        "document": str(version.document_id),
        "version": str(version.pk),
        **{name: getattr(chunk, name) for name in names},
    }
