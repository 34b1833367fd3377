"""What pages read of documents."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, IntegerField, Q, QuerySet, Value, When

from projects.models import Project
from retrieval.models import Chunk, Document, DocumentVersion, Index, Measurement, VersionStatus
from runs.models import ACTIVE, PENDING, Run

SORTS = {
    "name": "name",
    "pages": "latest__pages",
    "passages": "latest__chunk_count",
    "size": "latest__bytes",
    "uploaded": "latest__created_at",
    "language": "latest__language",
    "status": "state_order",
}
LANGUAGES = {  # ISO 639-3, as reading writes them
    "eng": "English",
    "deu": "German",
    "fra": "French",
    "spa": "Spanish",
    "ita": "Italian",
    "nld": "Dutch",
    "por": "Portuguese",
}


def documents_of(
    project: Project, *, text: str = "", status: str = "", language: str = "", finding: str = "", sort: str = "name"
) -> QuerySet[Document]:
    """The project's documents with their latest version and its run, in one query."""
    documents = Document.objects.filter(project=project, deleted_at=None).select_related("latest__run", "latest__created_by", "current")
    if text:
        documents = documents.filter(Q(name__icontains=text) | Q(latest__title__icontains=text))
    if status:
        documents = documents.filter(latest__status=status)
    if language:
        documents = documents.filter(latest__language="" if language == "unknown" else language)
    if finding == "any":
        documents = documents.exclude(latest__findings=[])
    elif finding == "none":
        documents = documents.filter(latest__findings=[])
    order = [VersionStatus.FAILED, VersionStatus.UPLOADED, VersionStatus.READING, VersionStatus.READY]
    cases = [When(latest__status=value, then=Value(place)) for place, value in enumerate(order)]
    documents = documents.annotate(state_order=Case(*cases, default=Value(9), output_field=IntegerField()))
    column = F(SORTS.get(sort.removeprefix("-"), "name"))
    ordered = column.desc(nulls_last=True) if sort.startswith("-") else column.asc(nulls_last=True)
    return documents.order_by(ordered, "name", "pk")


def document_counts(project: Project) -> dict[str, int]:
    """How many documents there are, and how many of them wait, are being read, or could not be read."""
    return Document.objects.filter(project=project, deleted_at=None).aggregate(
        all=Count("pk"),
        waiting=Count("pk", filter=Q(latest__status=VersionStatus.UPLOADED)),
        reading=Count("pk", filter=Q(latest__status=VersionStatus.READING)),
        failed=Count("pk", filter=Q(latest__status=VersionStatus.FAILED)),
        ready=Count("pk", filter=Q(latest__status=VersionStatus.READY)),
    )


def languages_of(project: Project) -> list[tuple[str, str]]:
    """The languages there are, for the table's filter."""
    codes = DocumentVersion.objects.filter(document__project=project, document__deleted_at=None, status=VersionStatus.READY)
    found = codes.order_by().values_list("language", flat=True).distinct()
    return sorted(((code or "unknown", language_word(code)) for code in found), key=lambda pair: pair[1])


def language_word(code: str) -> str:
    return LANGUAGES.get(code, code) if code else "Not recognised"


def index_of(project: Project) -> Index | None:
    """The index that is searched."""
    return Index.objects.filter(project=project, ready=True).first()


def live_reading(project: Project) -> list[Run]:
    """Runs that read documents now, or will."""
    return list(Run.objects.filter(project=project, stage="ingest", status__in=[*PENDING, *ACTIVE]).order_by("created_at"))


@dataclass(frozen=True)
class Step:
    """What is being done to one document: in words, and how far it is (0 to 100, or None where that cannot be told)."""

    words: str
    percent: int | None = None


def step_of(version: DocumentVersion) -> Step:
    """Where a version stands in its run, which goes through its documents in the order of their positions."""
    run = version.run
    if run is None or run.status in PENDING:
        return Step("Waiting for a worker")
    done, total = run.progress.get("done") or 0, run.progress.get("total") or 0
    phase = run.phase.lower()
    if phase.startswith("embed"):
        if not total:
            return Step("Embedding")
        if done >= total:
            return Step("Storing passages")
        return Step("Embedding", int(100 * done / total))
    if phase.startswith("cut"):
        return Step("Cutting into passages")
    if phase.startswith("read"):
        return Step("Reading" if version.position == done else "Read" if version.position < done else "Waiting its turn")
    return Step(run.phase or "Starting")


def chunks_in(version: DocumentVersion, start: int, end: int) -> QuerySet[Chunk]:
    """Passages that stand, at least in part, between ``start`` and ``end``."""
    return Chunk.objects.filter(version=version, start__lt=end, end__gt=start).order_by("ordinal")


def latest_measurement(project: Project) -> Measurement | None:
    return Measurement.objects.filter(project=project).select_related("created_by").first()


def names_of(project: Project, documents: set[str]) -> dict[str, str]:
    """Id → name, as text."""
    keys = [UUID(document) for document in documents if document]
    return {str(pk): name for pk, name in Document.objects.filter(project=project, pk__in=keys).values_list("pk", "name")}


def measurement_misses(project: Project, measurement: Measurement) -> list[dict[str, Any]]:
    """The misses with the names of their documents, in one query."""
    names = names_of(project, {miss[key] for miss in measurement.misses for key in ("document", "found")})
    known = {"": "nothing"}
    return [
        miss
        | {
            "document_name": names.get(miss["document"], "a deleted document"),
            "found_name": names.get(miss["found"], known.get(miss["found"], "a deleted document")),
        }
        for miss in measurement.misses
    ]
