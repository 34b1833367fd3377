"""Having documents read: one run for what waits, and nothing lost when it ends early."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from projects.models import Project, User
from retrieval.models import DocumentVersion, VersionStatus
from retrieval.services import ReadingError, documents_ingest, documents_retry, documents_upload, ingest_waiting
from runs.artifacts import artifact_path
from runs.models import Artifact, Run, RunEvent, Status
from runs.services import run_end, run_stop
from tests.retrieval.conftest import TEXTS, upload

ERROR = {"code": "crash", "message": "It crashed.", "mend": "Look at the log."}


def statuses(project: Project) -> set[str]:
    return set(DocumentVersion.objects.filter(document__project=project).values_list("status", flat=True))


def begin(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING)


def test_one_run_gets_every_waiting_version(project: Project, owner: User, uploaded: list[DocumentVersion]) -> None:
    run = documents_ingest(project=project, by=owner)
    assert statuses(project) == {VersionStatus.READING}
    artifact = run.inputs.get(role="documents").artifact
    assert artifact is not None and artifact.kind == "documents"
    folder = artifact_path(artifact)
    rows = [json.loads(line) for line in (folder / "documents.jsonl").read_text().splitlines()]
    assert {row["name"]: (folder / row["file"]).read_text() for row in rows} == TEXTS
    assert {row["version"] for row in rows} == {str(version.pk) for version in uploaded}
    assert all(set(row) == {"id", "version", "name", "file", "media_type"} for row in rows)


def test_what_could_be_uploaded_is_not_too_large_to_be_read(project: Project, owner: User, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 300 * 2**20
    documents_upload(project=project, files=[upload("a.md", "# A\n")], by=owner)
    assert documents_ingest(project=project, by=owner).params["max_megabytes"] == 300


def test_with_nothing_waiting_it_answers_the_live_run_or_says_so(project: Project, owner: User, uploaded: list[DocumentVersion]) -> None:
    run = documents_ingest(project=project, by=owner)
    assert documents_ingest(project=project, by=owner) == run
    run_stop(run=run, by=owner)
    DocumentVersion.objects.update(status=VersionStatus.READY)
    with pytest.raises(ReadingError):
        documents_ingest(project=project, by=owner)


def test_files_that_come_while_a_run_is_at_work_share_the_next_one(project: Project, owner: User, uploaded: list[DocumentVersion]) -> None:
    run = documents_ingest(project=project, by=owner)
    documents_upload(project=project, files=[upload("x.md", "x"), upload("y.md", "y")], by=owner)
    assert ingest_waiting(project) is None
    begin(run)
    run_end(run.pk, Status.FAILED, error=ERROR)
    (following,) = Run.objects.filter(stage="ingest").exclude(pk=run.pk)
    assert following.document_versions.count() == 2


def test_files_still_coming_in_are_left_to_the_last_ones_task(project: Project, uploaded: list[DocumentVersion]) -> None:
    assert ingest_waiting(project, settle=True) is None
    assert ingest_waiting(project) is not None


def test_a_failed_run_gives_its_documents_the_reason_and_they_can_be_retried(
    project: Project, owner: User, uploaded: list[DocumentVersion]
) -> None:
    run = documents_ingest(project=project, by=owner)
    begin(run)
    said = {"code": "damaged", "message": "“with.md” is damaged.", "where": "with.md", "mend": "Save it again."}
    RunEvent.objects.create(run=run, seq=900, attempt=1, ts=0, type="warning", data=said)
    run_end(run.pk, Status.FAILED, error=ERROR)
    versions = {version.document.name: version for version in DocumentVersion.objects.select_related("document")}
    assert statuses(project) == {VersionStatus.FAILED}
    assert versions["with.md"].error["code"] == "damaged"
    assert versions["yield.md"].error["message"] == "It crashed."
    count = documents_retry(project=project, documents=[version.document_id for version in versions.values()], by=owner)
    assert count == 3 and statuses(project) == {VersionStatus.UPLOADED}


def test_a_stopped_run_gives_its_documents_back_and_does_not_start_over_by_itself(
    project: Project, owner: User, uploaded: list[DocumentVersion]
) -> None:
    run = documents_ingest(project=project, by=owner)
    run_stop(run=run, by=owner)  # still queued: it ends at once
    assert statuses(project) == {VersionStatus.UPLOADED}
    assert ingest_waiting(project) is None
    assert documents_ingest(project=project, by=owner).pk != run.pk


def test_a_run_that_succeeds_without_a_document_leaves_it_failed(project: Project, owner: User, uploaded: list[DocumentVersion]) -> None:
    run = documents_ingest(project=project, by=owner)
    begin(run)
    run_end(run.pk, Status.SUCCEEDED)
    assert statuses(project) == {VersionStatus.FAILED}


def test_the_end_of_another_stage_is_none_of_its_business(
    project: Project, owner: User, uploaded: list[DocumentVersion], read: Callable[..., Artifact]
) -> None:
    from retrieval.services import run_ended

    run_ended(Run(project=project, stage="sft", status=Status.FAILED))
    assert statuses(project) == {VersionStatus.UPLOADED}
