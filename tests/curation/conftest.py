"""Documents that have been read, pairs in any state, and a pairs artifact as a run would leave it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db.models import QuerySet

from curation.gate import fingerprint
from curation.messages import messages_of
from curation.models import Origin, Pair, PairStatus, QualityReport
from curation.selecting import APPROVED
from curation.services.writing import derived
from projects.models import Project
from retrieval.files import name_for
from retrieval.models import Document, DocumentVersion, VersionStatus
from runs.artifacts import artifact_register
from runs.models import Artifact, Run
from runs.supervising import supervise


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> None:
    settings.ARTIFACT_ROOT = tmp_path / "artifacts"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "files"}},
    }


def make_document(project: Project, name: str, text: str) -> DocumentVersion:
    document = Document.objects.create(project=project, name=name, sha256="0" * 64)
    version = DocumentVersion(document=document, number=1, bytes=len(text), media_type="text/markdown", sha256="0" * 64)
    version.file = name_for(project.pk, version.pk, ".md")
    version.status, version.characters = VersionStatus.READY, len(text)
    version.save()
    version.text_path.parent.mkdir(parents=True, exist_ok=True)
    version.text_path.write_bytes(text.encode())
    document.current = document.latest = version
    document.save()
    return version


def text_with(sentences: int, of: str) -> str:
    return "".join(f"Sentence {number} of {of} says something of its own.\n" for number in range(sentences))


def row_for(version: DocumentVersion, question: str, start: int, end: int, shape: str = "definition") -> dict[str, Any]:
    evidence = version.text()[start:end]
    place = {
        "document": str(version.document_id),
        "version": str(version.pk),
        "chunk_ordinal": 0,
        "page": 1,
        "start": start,
        "end": end,
    }
    return {"question": question, "answer": " ".join(evidence.split()), "shape": shape, **place, "evidence": evidence}


def rows_for(version: DocumentVersion, count: int) -> list[dict[str, Any]]:
    """A question for each of the first sentences of a document made by ``text_with``."""
    rows, at = [], 0
    for line in version.text().splitlines(keepends=True)[:count]:
        question = f"What does {version.document.name} say in {line.split()[1]}?"
        rows.append(row_for(version, question, at, at + len(line) - 1, shape="definition" if len(rows) % 2 else "heading"))
        at += len(line)
    return rows


def report_of(project: Project, verdict: str, pairs: QuerySet[Pair] | None = None, tree: dict[str, Any] = APPROVED) -> QualityReport:
    """A look of the quality gate at ``pairs`` as they are now, the approved ones where none are given; ``tree`` is their filter."""
    looked_at = Pair.objects.filter(project=project, status=PairStatus.APPROVED) if pairs is None else pairs
    says = {"key": "duplicates", "title": "Duplicates", "verdict": verdict, "says": "As it stands.", "number": 3, "unit": "%", "rows": 4}
    return QualityReport.objects.create(
        project=project,
        artifact=Artifact.objects.create(
            project=project, kind="quality-report", uri=f"made/{uuid4()}", bytes=0, sha256="0" * 64, ready=True
        ),
        verdict=verdict,
        pairs=looked_at.count(),
        report={"verdict": verdict, "pairs": looked_at.count(), "checks": [says]},
        tree=tree,
        fingerprint=fingerprint(looked_at),
    )


@pytest.fixture
def supervised() -> Callable[[Run], Run]:
    """``supervised(run)``: the run after the real engine brought it to its end."""

    def bring_to_its_end(run: Run) -> Run:
        supervise(run.pk)
        run.refresh_from_db()
        return run

    return bring_to_its_end


@pytest.fixture
def pairs_artifact(project: Project) -> Callable[[list[dict[str, Any]]], Artifact]:
    def make(rows: list[dict[str, Any]]) -> Artifact:
        folder = Path(settings.ARTIFACT_ROOT) / f"made-{Artifact.objects.count()}"
        folder.mkdir(parents=True)
        (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return artifact_register(project=project, kind="pairs", folder=folder, ready=False)

    return make


@pytest.fixture
def make_pair(project: Project) -> Callable[..., Pair]:
    """``make_pair("Question?", "Answer.", version=…)``; its evidence is the start of the version's text."""

    def make(question: str, answer: str = "An answer.", *, version: DocumentVersion | None = None, **fields: Any) -> Pair:
        if version is not None:
            row = row_for(version, question, 0, 20)
            source = {name: row[name] for name in ("document", "version", "page", "start", "end", "evidence")}
            fields = {"sources": [source], "document_id": row["document"], "version_id": row["version"], **fields}
        words = derived(messages_of(question, answer))
        return Pair.objects.create(project=project, **{**words, "origin": Origin.GENERATED, "status": PairStatus.PENDING, **fields})

    return make


@pytest.fixture
def approved(project: Project, make_pair: Callable[..., Pair]) -> list[Pair]:
    """120 approved pairs from 12 documents of different sizes."""
    pairs = []
    for number in range(12):
        version = make_document(project, f"document-{number:02}.md", text_with(20, f"document {number}"))
        pairs += [
            make_pair(
                f"Question {count} about document {number}?",
                f"Answer {count} of {number}.",
                version=version,
                status=PairStatus.APPROVED,
            )
            for count in range(5 + number % 3 * 5)
        ]
    return pairs
