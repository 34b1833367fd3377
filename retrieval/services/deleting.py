"""Deleting documents: their text and bytes go everywhere, their hashes stay."""

from collections.abc import Collection
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from engine import manifest
from projects import audit
from projects.models import Project, User
from projects.registries import erase_copies
from projects.services import project_touch
from retrieval import files
from retrieval.batches import batched
from retrieval.jsonl import Row, read_rows, write_rows
from retrieval.models import Chunk, Document, DocumentVersion, Index
from retrieval.services.rewriting import artifact_without
from retrieval.services.staleness import KIND, mark_stale
from retrieval.stores import store
from retrieval.stores.base import space_of
from runs.models import Artifact

AT_ONCE = 200  # documents


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
    unfinished = Document.objects.filter(project=project, deleted_at__isnull=False, erased_at=None)
    for some in batched(unfinished.order_by("pk"), AT_ONCE):
        documents_erase(project, some)
    if count:
        project_touch(project)
    return count


def documents_erase(project: Project, documents: Collection[Document]) -> None:
    """Remove rows, vectors, files and every copy, in artifacts and in other apps.

    Idempotent, so that who died half-way is followed by one that finishes. Many at once, for the index is written anew each time.
    """
    versions = list(DocumentVersion.objects.filter(document__in=documents))
    keys = [version.pk for version in versions]
    for index in Index.objects.filter(project=project):
        store().remove(space_of(index), keys, erase=True)
        Index.objects.filter(pk=index.pk).update(chunk_count=store().count(space_of(index)))
    Chunk.objects.filter(version__in=keys).delete()
    for version in versions:
        files.erase(version.path, version.text_path)
    for artifact in Artifact.objects.filter(project=project, kind__in=["documents", "chunks"]):
        artifact_without(artifact, {str(key) for key in keys}, listed="documents.jsonl", write=_without)
    erase_copies(KIND, project, keys)
    gone = {*map(str, keys), *(str(document.pk) for document in documents)}
    for version in DocumentVersion.objects.filter(document__project=project).exclude(findings=[]).only("findings"):
        if (left := _without_names(version.findings, gone)) != version.findings:
            DocumentVersion.objects.filter(pk=version.pk).update(findings=left)
    DocumentVersion.objects.filter(pk__in=keys).update(title="", findings=[], error=None)
    Document.objects.filter(pk__in=[document.pk for document in documents]).update(erased_at=timezone.now())


def _without(folder: Path, new: Path, rows: list[Row], held: set[str]) -> None:
    """Write ``new``: ``folder`` without the rows, files, chunks and vectors of ``held``."""
    written = {manifest.MANIFEST_FILE, "documents.jsonl", "chunks.jsonl", "vectors.npy"}
    gone = {row[key] for row in rows if row["version"] in held for key in ("file", "text_file") if row.get(key)}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in written | gone:
            files.link_or_copy(path, new / name)
    left = [row | {"findings": _without_names(row["findings"], held)} if "findings" in row else row for row in rows]
    write_rows(new / "documents.jsonl", [row for row in left if row["version"] not in held])
    if (folder / "chunks.jsonl").is_file():
        import numpy as np

        chunks = list(read_rows(folder / "chunks.jsonl"))
        keep = [number for number, row in enumerate(chunks) if row["version"] not in held]
        if (folder / "vectors.npy").is_file():
            np.save(new / "vectors.npy", np.load(folder / "vectors.npy")[keep])
        write_rows(new / "chunks.jsonl", [chunks[number] for number in keep])


def _without_names(findings: list[Row], gone: set[str]) -> list[Row]:
    """Findings but those that name one of ``gone``: "the same text as …"."""
    return [finding for finding in findings if finding.get("of") not in gone]


def project_erase(project: Project) -> None:
    """Vectors and files of a project that is being deleted; the rows go with it."""
    store().drop(str(project.pk))
    files.erase_project(project.pk)
