"""Deleting documents: their text and bytes go everywhere, their hashes stay."""

import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from engine import manifest
from projects import audit
from projects.models import Project, User
from projects.services import project_touch
from retrieval import files
from retrieval.models import Chunk, Document, DocumentVersion, Index
from retrieval.services.staleness import mark_stale
from retrieval.stores import store
from retrieval.stores.base import space_of
from runs.artifacts import artifact_path
from runs.models import Artifact


def documents_delete(*, project: Project, documents: Collection[UUID], by: User) -> int:
    """Delete ``documents`` and erase what they said. How many there were. Goes on with what an earlier call did not finish."""
    count = 0
    for document in Document.objects.filter(project=project, pk__in=documents, deleted_at=None):
        with transaction.atomic():
            # The name goes too: it may hold a person's. The hash stays, for the lineage of what was made from it
            gone = {"deleted_at": timezone.now(), "current": None, "name": f"Deleted document {str(document.pk)[:8]}"}
            if not Document.objects.filter(pk=document.pk, deleted_at=None).update(**gone):
                continue
            audit.record(project, by, "document.delete", f"document {document.pk}", before={"sha256": document.sha256})
        mark_stale(project, list(document.versions.values_list("pk", flat=True)))
        count += 1
    for document in Document.objects.filter(project=project, deleted_at__isnull=False, erased_at=None):
        document_erase(document)
    if count:
        project_touch(project)
    return count


def document_erase(document: Document) -> None:
    """Remove rows, vectors, files and every copy in artifacts. Idempotent, so that who died half-way is followed by one that finishes."""
    versions = list(document.versions.all())
    keys = [version.pk for version in versions]
    for index in Index.objects.filter(project=document.project_id):
        store().remove(space_of(index), keys, erase=True)
        Index.objects.filter(pk=index.pk).update(chunk_count=store().count(space_of(index)))
    Chunk.objects.filter(version__in=keys).delete()
    for version in versions:
        files.erase(version.path, version.text_path)
    for artifact in Artifact.objects.filter(project=document.project_id, kind__in=["documents", "chunks"]):
        _erase_from(artifact, {str(key) for key in keys})
    DocumentVersion.objects.filter(pk__in=keys).update(title="", findings=[], error=None)
    Document.objects.filter(pk=document.pk).update(erased_at=timezone.now())


def _erase_from(artifact: Artifact, versions: set[str]) -> None:
    """Take ``versions`` out of an artifact's folder. Its row keeps the hash it had; its facts tell what was erased.

    A new folder is written beside the old one and takes its place, so that files and manifest agree whenever somebody looks.
    """
    folder = artifact_path(artifact)
    new, old = folder.with_name(folder.name + ".erased"), folder.with_name(folder.name + ".old")
    if new.is_dir() and not folder.is_dir():  # an earlier call died between its two renames
        os.rename(new, folder)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(new, ignore_errors=True)
    rows = _rows(folder / "documents.jsonl") if (folder / "documents.jsonl").is_file() else []
    held = {row["version"] for row in rows} & versions
    if not held:
        return
    facts = {**artifact.facts, "erased": sorted({*artifact.facts.get("erased", []), *held})}
    Artifact.objects.filter(pk=artifact.pk).update(facts=facts)
    _without(folder, new, rows, held)
    manifest.write(new, artifact.kind, facts, manifest.read(folder).made_by)
    os.rename(folder, old)
    os.rename(new, folder)
    shutil.rmtree(old)


def _without(folder: Path, new: Path, rows: list[dict[str, Any]], held: set[str]) -> None:
    """Write ``new``: ``folder`` without the rows, files, chunks and vectors of ``held``."""
    written = {manifest.MANIFEST_FILE, "documents.jsonl", "chunks.jsonl", "vectors.npy"}
    gone = {row[key] for row in rows if row["version"] in held for key in ("file", "text_file") if row.get(key)}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in written | gone:
            files.link_or_copy(path, new / name)
    new.mkdir(exist_ok=True)
    _write_rows(new / "documents.jsonl", [row for row in rows if row["version"] not in held])
    if (folder / "chunks.jsonl").is_file():
        import numpy as np

        chunks = _rows(folder / "chunks.jsonl")
        keep = [number for number, row in enumerate(chunks) if row["version"] not in held]
        np.save(new / "vectors.npy", np.load(folder / "vectors.npy")[keep])
        _write_rows(new / "chunks.jsonl", [chunks[number] for number in keep])


def _rows(path: Path) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8", newline="\n")


def project_erase(project: Project) -> None:
    """Vectors and files of a project that is being deleted; the rows go with it."""
    store().drop(str(project.pk))
    files.erase_project(project.pk)
