"""Small, real things to try retrieval on: files, a hand-made ``chunks`` artifact with random unit vectors, a stand-in for the embedder."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from projects.models import Project, User
from retrieval.models import DocumentVersion
from retrieval.services import documents_upload
from runs.artifacts import artifact_register
from runs.models import Artifact
from runs.taking_in import _take_in

DIMENSIONS = 16

TEXTS = {
    "yield.md": (
        "# Yield expressions\n\nA yield expression is used when defining a generator function.\n\n"
        "## Methods\n\ngenerator.send(value) resumes the execution and sends a value into the generator.\n"
    ),
    "with.md": (
        "# The with statement\n\nThe with statement wraps the execution of a block with methods defined by a context manager.\n\n"
        "Straße and naïve café stand here for other alphabets: Ελληνικά.\n"
    ),
    "names.md": "# Naming\n\nNames refer to objects. Names are introduced by name binding operations.\n",
}


def upload(name: str, content: bytes | str) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)


def vector_for(text: str) -> np.ndarray:
    """A unit vector that follows from the text: random, and the same each time."""
    seed = int.from_bytes(text.strip().encode()[-8:] or b"0", "little")
    vector = np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)
    return vector / np.linalg.norm(vector)


def passages(text: str) -> list[tuple[int, int]]:
    """Paragraphs as passages."""
    found, at = [], 0
    for part in text.split("\n\n"):
        start = text.index(part, at)
        at = start + len(part)
        if part.strip():
            found.append((start, at))
    return found


def chunks_folder(folder: Path, versions: list[DocumentVersion], texts: dict[str, str], failed: dict[UUID, dict[str, str]]) -> Path:
    """The files of a ``chunks`` artifact, as the stage ``ingest`` writes them."""
    (folder / "texts").mkdir(parents=True)
    vectors: list[np.ndarray] = []
    with open(folder / "documents.jsonl", "w") as documents, open(folder / "chunks.jsonl", "w") as chunks:
        for version in versions:
            text = texts[version.document.name]
            row: dict[str, Any] = {
                "id": str(version.document_id), "version": str(version.pk), "name": version.document.name, "status": "ok",
                "title": text.split("\n")[0].strip("# "), "language": "eng", "pages": 1, "characters": len(text),
                "text_file": f"texts/{version.pk}.txt", "page_starts": [0], "error": None,
                "findings": [{"code": "thin", "message": "Little text."}],
            }  # fmt: skip
            if version.pk in failed:
                row |= {"status": "failed", "text_file": None, "error": failed[version.pk], "characters": 0}
            else:
                (folder / row["text_file"]).write_text(text, "utf-8", newline="")
                for ordinal, (start, end) in enumerate(passages(text)):
                    line = {
                        "document": str(version.document_id), "version": str(version.pk), "ordinal": ordinal, "text": text[start:end],
                        "start": start, "end": end, "page": 1, "page_end": 1, "headings": [row["title"]], "tokens": 9,
                    }  # fmt: skip
                    chunks.write(json.dumps(line) + "\n")
                    vectors.append(vector_for(text[start:end]))
            documents.write(json.dumps(row) + "\n")
    np.save(folder / "vectors.npy", np.array(vectors, dtype=np.float32).reshape(-1, DIMENSIONS))
    return folder


@pytest.fixture
def chunks_artifact(tmp_path: Path) -> Callable[..., Artifact]:
    """A ``chunks`` artifact of ``versions`` that nobody has taken in yet."""
    made = iter(range(1000))

    def make(
        versions: list[DocumentVersion], texts: dict[str, str] | None = None, failed: dict[UUID, dict[str, str]] | None = None
    ) -> Artifact:
        folder = chunks_folder(tmp_path / f"chunks-{next(made)}", versions, TEXTS | (texts or {}), failed or {})
        project = versions[0].document.project
        facts = {"embedder": "test-embedder", "chunks": 1, "dimensions": DIMENSIONS}
        return artifact_register(project=project, kind="chunks", folder=folder, facts=facts, ready=False)

    return make


@pytest.fixture
def read(chunks_artifact: Callable[..., Artifact]) -> Callable[..., Artifact]:
    """Take ``versions`` in as if a run had read them."""

    def make(versions: list[DocumentVersion], texts: dict[str, str] | None = None) -> Artifact:
        artifact = chunks_artifact(versions, texts)
        _take_in(artifact)
        return artifact

    return make


@pytest.fixture
def uploaded(project: Project, owner: User) -> list[DocumentVersion]:
    """The three small documents, waiting to be read."""
    documents_upload(project=project, files=[upload(name, text) for name, text in TEXTS.items()], by=owner)
    return list(DocumentVersion.objects.filter(document__project=project).select_related("document__project").order_by("document__name"))


@pytest.fixture
def library(uploaded: list[DocumentVersion], read: Callable[..., Artifact]) -> list[DocumentVersion]:
    """The three small documents, read and searchable."""
    read(uploaded)
    return uploaded


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In place of the embedding server: the vectors that the hand-made passages got."""
    from retrieval import embedding

    def fake(server: object, texts: list[str], **_: object) -> np.ndarray:
        return np.array([vector_for(text) for text in texts])

    monkeypatch.setattr(embedding.endpoint, "embed", fake)
    embedding.embed_question.cache_clear()
    yield
    embedding.embed_question.cache_clear()
