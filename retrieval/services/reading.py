"""Having documents read: which versions wait, the run that reads them, and what becomes of them when it ends early."""

import json
import logging
import shutil
import tempfile
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from projects import audit
from projects.models import Project, User
from retrieval import files
from retrieval.models import DocumentVersion, VersionStatus
from runs.artifacts import artifact_erase, artifact_register
from runs.models import ACTIVE, PENDING, Artifact, Run, Status
from runs.services import run_create

log = logging.getLogger(__name__)

STAGE = "ingest"
SETTLE_SECONDS = 2  # a browser sends many files one by one: what follows within this goes into the same run
PATIENCE = timedelta(seconds=15)  # with which the first of many files waits for the last
TRIES = 4


class ReadingError(Exception):
    """There is nothing to read, or it cannot begin; the message says why."""


class _Taken(Exception):
    """Somebody else took a version meanwhile."""


def waiting_of(project: Project) -> QuerySet[DocumentVersion]:
    """Versions that nobody is reading yet, oldest first."""
    found = DocumentVersion.objects.filter(document__project=project, document__deleted_at=None, status=VersionStatus.UPLOADED)
    return found.select_related("document").order_by("created_at", "pk")


def live_ingests(project: Project) -> QuerySet[Run]:
    return Run.objects.filter(project=project, stage=STAGE, status__in=[*PENDING, *ACTIVE])


def documents_ingest(*, project: Project, by: User | None, only_new: bool = False) -> Run:
    """One run for every version that waits; with nothing waiting, the run that is at work. ``only_new`` leaves out what a person stopped.

    Raises ``ReadingError`` when there is nothing to do.
    """
    for _ in range(TRIES):
        waiting = waiting_of(project)
        versions = list(waiting.filter(error__isnull=True) if only_new else waiting)
        if not versions:
            if run := live_ingests(project).order_by("created_at").first():
                return run
            raise ReadingError("There is nothing to read: every document has been read. Upload one, or try a failed one again.")
        artifact = _documents_artifact(project, versions)
        try:
            return _start(project, versions, artifact, by)
        except _Taken:
            _forget(artifact)
        except BaseException:
            _forget(artifact)
            raise
    raise ReadingError("Others are changing the documents at the same time. Try again.")


@transaction.atomic
def _start(project: Project, versions: list[DocumentVersion], artifact: Artifact, by: User | None) -> Run:
    title = "Read 1 document" if len(versions) == 1 else f"Read {len(versions)} documents"  # no names: a title outlives its documents
    params = {"max_megabytes": settings.UPLOAD_MAX_BYTES / 2**20}  # what could be uploaded can be read
    run = run_create(project=project, stage=STAGE, params=params, inputs={"documents": artifact}, by=by, title=title)
    for position, version in enumerate(versions):
        mine = DocumentVersion.objects.filter(pk=version.pk, status=VersionStatus.UPLOADED)
        if not mine.update(status=VersionStatus.READING, run=run, position=position, error=None):
            raise _Taken(str(version.pk))
    return run


def _documents_artifact(project: Project, versions: list[DocumentVersion]) -> Artifact:
    """The files as the engine gets them: hard links under generated names, and their list."""
    settings.ARTIFACT_ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="documents-", dir=settings.ARTIFACT_ROOT))  # on the same disk, so that links and renames work
    try:
        with open(folder / "documents.jsonl", "w", encoding="utf-8") as lines:
            for version in versions:
                name = f"files/{version.pk}{version.path.suffix}"
                files.link_or_copy(version.path, folder / name)
                row = {"id": str(version.document_id), "version": str(version.pk), "name": version.document.name}
                lines.write(json.dumps(row | {"file": name, "media_type": version.media_type}, ensure_ascii=False) + "\n")
        return artifact_register(project=project, kind="documents", folder=folder, facts={"documents": len(versions)})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _forget(artifact: Artifact) -> None:
    """An artifact that no run was made for."""
    artifact_erase(artifact)
    artifact.delete()


def ingest_soon(project: Project) -> None:
    """Start reading in a moment, so that files sent one by one share a run. Without workers to tell, start at once."""
    from retrieval.tasks import retrieval_ingest_waiting

    def tell() -> None:
        try:
            retrieval_ingest_waiting.apply_async([project.pk], countdown=SETTLE_SECONDS, retry=False)
        except Exception as error:  # kombu and redis raise their own kinds
            log.warning("The workers could not be told of new documents: %s", error)
            ingest_waiting(project)

    transaction.on_commit(tell)


def ingest_waiting(project: Project, *, settle: bool = False) -> Run | None:
    """One run for what waits and was not stopped by a person, unless one is at work: its end starts the next.

    With ``settle`` it leaves files that are still coming in to the task of the last of them, though not for long.
    """
    waiting = waiting_of(project).filter(error__isnull=True)
    oldest, newest = waiting.first(), waiting.last()
    if oldest is None or newest is None or live_ingests(project).exists():
        return None
    now = timezone.now()
    if settle and now - newest.created_at < timedelta(seconds=SETTLE_SECONDS / 2) and now - oldest.created_at < PATIENCE:
        return None
    try:
        return documents_ingest(project=project, by=newest.created_by, only_new=True)
    except ReadingError:
        return None


def restart(versions: Collection[UUID]) -> int:
    """FAILED, or stopped by a person, back to waiting. How many there were."""
    found = DocumentVersion.objects.filter(pk__in=versions, document__deleted_at=None)
    failed = found.filter(status=VersionStatus.FAILED).update(status=VersionStatus.UPLOADED, error=None, run=None)
    return failed + found.filter(status=VersionStatus.UPLOADED, error__isnull=False).update(error=None, run=None)


def documents_retry(*, project: Project, documents: Collection[UUID], by: User) -> int:
    """Have the latest versions of ``documents`` read again where reading failed or was stopped. How many."""
    latest = DocumentVersion.objects.filter(document__project=project, document__in=documents, document__latest_id=F("pk"))
    count = restart(list(latest.values_list("pk", flat=True)))
    if count:
        audit.record(project, by, "document.retry", f"{count} documents", after={"count": count})
        ingest_soon(project)
    return count


def run_ended(run: Run) -> None:
    """Give back what the run did not finish, then start what came meanwhile."""
    if run.stage != STAGE or run.project is None:
        return
    unread = DocumentVersion.objects.filter(run=run, status=VersionStatus.READING).select_related("document")
    stopped = run.status == Status.STOPPED
    said = _said_of_files(run)
    for version in unread:
        error = said.get(version.document.name) if not stopped else None
        error = error or _reason(run, stopped=stopped)
        after = VersionStatus.UPLOADED if stopped else VersionStatus.FAILED
        DocumentVersion.objects.filter(pk=version.pk, status=VersionStatus.READING, run=run).update(status=after, error=error)
    ingest_waiting(run.project)


def _reason(run: Run, *, stopped: bool) -> dict[str, str]:
    if stopped:
        return {
            "code": "stopped",
            "message": "Reading was stopped before it was done.",
            "mend": "Read it again when you like.",
        }
    if run.status == Status.SUCCEEDED:
        return {"code": "missing", "message": "The run that read it said nothing about it.", "mend": "Try again."}
    error = run.error or {}
    message = error.get("message") or "Reading ended early, and nobody knows why."
    return {
        "code": error.get("code", "lost"),
        "message": message,
        "mend": error.get("mend") or "Try again; the run's page has the log.",
    }


def _said_of_files(run: Run) -> dict[str, dict[str, str]]:
    """File name → what the engine said about it. A run in which no file could be read hands nothing over but these words."""
    events = run.events.filter(attempt=run.attempt, type="warning").values_list("data", flat=True)
    keys = ("code", "message", "mend")
    return {data["where"]: {key: data.get(key, "") for key in keys} for data in events if data.get("where") and data.get("mend")}
