"""What curation reads of the documents below it."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from uuid import UUID

from django.db.models import F

from projects.models import Project
from retrieval.models import Document, DocumentVersion, VersionStatus

KEPT = 8  # texts in memory at once; pairs come sorted by document, so that one is usually enough


def version_texts(project: Project) -> Callable[[str], str]:
    """A function from a version's id to its text, empty for one that is not in ``project`` or was erased."""
    kept: OrderedDict[str, str] = OrderedDict()

    def text_of(version: str) -> str:
        if version not in kept:
            found = DocumentVersion.objects.filter(pk=version, document__project=project).first()
            kept[version] = _text(found) if found else ""
            if len(kept) > KEPT:
                kept.popitem(last=False)
        return kept[version]

    return text_of


def _text(version: DocumentVersion) -> str:
    try:
        return version.text()
    except OSError:  # erased: the row is a tombstone
        return ""


def document_names(project: Project) -> dict[UUID, str]:
    """Id → name of the project's documents."""
    return dict(Document.objects.filter(project=project, deleted_at=None).values_list("pk", "name"))


def erased_among(project: Project, versions: Iterable[str]) -> list[UUID]:
    """Those of ``versions`` whose document was deleted."""
    gone = DocumentVersion.objects.filter(document__project=project, pk__in=list(versions), document__deleted_at__isnull=False)
    return list(gone.values_list("pk", flat=True))


def deleted_among(project: Project, documents: Iterable[str]) -> set[str]:
    """Those of ``documents`` that were deleted."""
    gone = Document.objects.filter(project=project, pk__in=list(documents), deleted_at__isnull=False)
    return {str(pk) for pk in gone.values_list("pk", flat=True)}


def current_versions(project: Project) -> list[DocumentVersion]:
    """The versions that have been read and count today, in the order of their documents' names."""
    current = DocumentVersion.objects.filter(document__project=project, document__deleted_at=None, document__current=F("pk"))
    read = current.filter(status=VersionStatus.READY).exclude(artifact=None)
    return list(read.select_related("artifact", "document").order_by("document__name", "pk"))


def chunks_facts(project: Project) -> dict[str, int] | None:
    """What a run would read: documents and chunks; None where nothing has been read yet."""
    versions = current_versions(project)
    return {"documents": len(versions), "chunks": sum(version.chunk_count for version in versions)} if versions else None
