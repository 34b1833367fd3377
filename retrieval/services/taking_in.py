"""From a ``chunks`` artifact into rows and vectors. Idempotent: who died half-way is followed by one that does it all again.

The order makes it safe at every point: text and chunk rows, then vectors, then the versions turn READY (from here on they are found),
then what they replace leaves the index, and the index says ready last.
"""

from itertools import groupby
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from engine.faults import fault
from projects.models import Project
from retrieval import files
from retrieval.batches import BATCH, batched
from retrieval.jsonl import Row, read_rows
from retrieval.models import Chunk, Document, DocumentVersion, Index, VersionStatus, chunk_id
from retrieval.services.deleting import documents_erase
from retrieval.services.staleness import mark_stale
from retrieval.stores import StoredChunk, store
from retrieval.stores.base import Space, space_of
from runs.artifacts import artifact_path
from runs.models import Artifact


def chunks_take_in(artifact: Artifact) -> None:
    """Bring what a run read into the project. Versions that were deleted meanwhile are left out."""
    project = artifact.project
    if project is None:
        return
    folder = artifact_path(artifact)
    rows = {UUID(row["version"]): row for row in read_rows(folder / "documents.jsonl")}
    found = DocumentVersion.objects.filter(pk__in=rows, document__project=project, document__deleted_at=None)
    versions = {version.pk: version for version in found.select_related("document")}
    done = {pk for pk, version in versions.items() if version.status == VersionStatus.READY and version.artifact_id == artifact.pk}
    read = [pk for pk, row in rows.items() if row["status"] == "ok" and pk in versions]
    index = _index(project, artifact, folder)
    _texts(folder, rows, [versions[pk] for pk in read])
    counts = _chunks(folder, set(read), space_of(index), folder / "vectors.npy")
    fault("documents.before_ready")
    for pk in read:
        if pk not in done:
            _ready(versions[pk], rows[pk], counts.get(pk, 0), artifact)
    for pk in rows.keys() & versions.keys() - set(read):
        _failed(versions[pk], rows[pk])
    fault("documents.after_ready")
    _index_done(index, artifact)
    deleted = Document.objects.filter(versions__in=rows.keys(), project=project, deleted_at__isnull=False).distinct()
    if deleted:
        documents_erase(project, deleted)  # deleted while it was read: its text is in what the run made


def _index(project: Project, artifact: Artifact, folder: Path) -> Index:
    """The index of the artifact's embedding model."""
    import numpy as np

    dimensions = int(np.load(folder / "vectors.npy", mmap_mode="r").shape[1])
    model = str(artifact.facts.get("embedder") or "")[:200]
    return Index.objects.get_or_create(project=project, embedding_model=model, dimensions=dimensions)[0]


def _texts(folder: Path, rows: dict[UUID, Row], versions: list[DocumentVersion]) -> None:
    for version in versions:
        files.link_or_copy(folder / rows[version.pk]["text_file"], version.text_path)


def _chunks(folder: Path, read: set[UUID], space: Space, vectors_file: Path) -> dict[UUID, int]:
    """Rows and vectors of the chunks of ``read``; how many each version has. What an earlier try left is replaced."""
    import numpy as np

    vectors = np.load(vectors_file, mmap_mode="r")
    chunks = store()
    chunks.remove(space, read)
    counts: dict[UUID, int] = {}
    wanted = ((number, row) for number, row in enumerate(read_rows(folder / "chunks.jsonl")) if UUID(row["version"]) in read)
    for batch in batched(wanted, BATCH):
        with transaction.atomic():
            made = [_chunk(row) for _, row in batch]
            fields = ["text", "start", "end", "page", "page_end", "headings", "tokens"]
            Chunk.objects.bulk_create(made, update_conflicts=True, unique_fields=["id"], update_fields=fields, batch_size=BATCH)
        fault("documents.after_rows")
        chunks.add(
            space,
            [StoredChunk(one.pk, one.version_id, _words(one), vectors[number]) for one, (number, _) in zip(made, batch, strict=True)],
        )
        fault("documents.after_vectors")
        for version, group in groupby(made, key=lambda one: one.version_id):
            counts[version] = counts.get(version, 0) + len(list(group))
    for version in read:  # an earlier reading of the same version may have had more
        Chunk.objects.filter(version=version, ordinal__gte=counts.get(version, 0)).delete()
    chunks.finish(space)
    return counts


def _chunk(row: Row) -> Chunk:
    version = UUID(row["version"])
    return Chunk(
        id=chunk_id(version, row["ordinal"]),
        version_id=version,
        ordinal=row["ordinal"],
        text=row["text"],
        start=row["start"],
        end=row["end"],
        page=row.get("page"),
        page_end=row.get("page_end"),
        headings=row.get("headings") or [],
        tokens=row.get("tokens") or 0,
    )


def _words(chunk: Chunk) -> str:
    """What full-text search reads: a passage deep in a section rarely repeats the section's name."""
    return "\n".join([*chunk.headings, chunk.text])


@transaction.atomic
def _ready(version: DocumentVersion, row: Row, chunks: int, artifact: Artifact) -> None:
    """The version turns READY and, being the newest that was read, the one that search finds."""
    kept = [finding for finding in version.findings if finding.get("code") == "same_bytes"]
    changed = DocumentVersion.objects.filter(pk=version.pk, document__deleted_at=None).update(
        status=VersionStatus.READY,
        error=None,
        artifact=artifact,
        read_at=timezone.now(),
        title=(row.get("title") or "")[:500],
        language=(row.get("language") or "")[:20],
        pages=row.get("pages"),
        characters=row.get("characters"),
        page_starts=row.get("page_starts") or [],
        findings=kept + (row.get("findings") or []),
        chunk_count=chunks,
    )
    if not changed:
        return
    document = Document.objects.select_for_update(of=("self",)).select_related("current").get(pk=version.document_id)
    if document.current is not None and document.current.number > version.number:
        DocumentVersion.objects.filter(pk=version.pk).update(superseded_at=timezone.now())
        return
    older = DocumentVersion.objects.filter(document=document, number__lt=version.number, superseded_at=None)
    replaced = list(older.values_list("pk", flat=True))
    Document.objects.filter(pk=document.pk).update(current=version)
    DocumentVersion.objects.filter(pk__in=replaced).update(superseded_at=timezone.now())
    reread = version.status == VersionStatus.READY and version.artifact_id != artifact.pk  # its text may have changed under its pairs
    mark_stale(document.project, [*replaced, *([version.pk] if reread else [])])


def _failed(version: DocumentVersion, row: Row) -> None:
    """A version that could be read before stays as it was; a failed second reading takes nothing away."""
    pending = [VersionStatus.UPLOADED, VersionStatus.READING, VersionStatus.FAILED]
    error = row.get("error") or {"code": "unknown", "message": "It could not be read.", "mend": "Try again."}
    DocumentVersion.objects.filter(pk=version.pk, status__in=pending).update(
        status=VersionStatus.FAILED, error=error, findings=row.get("findings") or []
    )


def _index_done(index: Index, artifact: Artifact) -> None:
    """Take what is not searched any more out of the index, and let the index say what it holds. The last step."""
    space = space_of(index)
    gone = DocumentVersion.objects.filter(document__project=index.project_id, superseded_at__isnull=False, status=VersionStatus.READY)
    outdated = list(gone.filter(document__versions__artifact=artifact).distinct().values_list("pk", flat=True))
    chunks = store()
    for some in batched(outdated, BATCH):
        chunks.remove(space, some)
    with transaction.atomic():
        Index.objects.filter(pk=index.pk).update(ready=True, chunk_count=chunks.count(space), artifact=artifact, updated_at=timezone.now())
        # Vectors of two models cannot be compared: the newest one's index is searched, and the others wait to be removed with the project
        Index.objects.filter(project=index.project_id).exclude(pk=index.pk).update(ready=False)
