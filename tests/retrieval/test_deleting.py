"""Deleting a document erases what it said everywhere: rows, index, files, artifacts. Its hash stays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from engine import manifest
from projects.models import AuditEvent, Project, User
from projects.services import project_delete
from retrieval.files import root
from retrieval.models import Chunk, Document, DocumentVersion, Index
from retrieval.search import search
from retrieval.services import documents_delete, documents_ingest, documents_upload
from runs.artifacts import artifact_path
from runs.models import Artifact
from tests.retrieval.conftest import upload

pytestmark = pytest.mark.usefixtures("embedder")
SECRET = "Quetzalcoatlus"


@pytest.fixture(autouse=True)
def own_places(settings: Any, tmp_path: Path) -> None:
    """Folders that no other test has written to."""
    settings.INDEX_ROOT = tmp_path / "indexes"
    settings.ARTIFACT_ROOT = tmp_path / "artifacts"
    settings.STORAGES = {**settings.STORAGES, "default": {"OPTIONS": {"location": tmp_path / "files"}}}


@pytest.fixture
def secret(project: Project, owner: User, library: list[DocumentVersion], read: Callable[..., Artifact]) -> Document:
    text = f"# {SECRET}\n\nThe {SECRET} patient was treated in March.\n"
    documents_upload(project=project, files=[upload("secret.md", text), upload("other.md", "# Other\n\nSomething else.\n")], by=owner)
    versions = list(DocumentVersion.objects.select_related("document__project").filter(document__name__in=["secret.md", "other.md"]))
    documents_ingest(project=project, by=owner)  # leaves a documents artifact with the file
    read(versions, {"secret.md": text, "other.md": "# Other\n\nSomething else.\n"})
    return Document.objects.get(name="secret.md")


def files_with(text: str) -> list[Path]:
    roots = [settings.INDEX_ROOT, settings.ARTIFACT_ROOT, root()]
    return [path for folder in roots for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_no_byte_of_it_is_left_and_the_others_are_untouched(project: Project, owner: User, secret: Document) -> None:
    assert len(files_with(SECRET)) >= 4  # the file, its text, two artifacts, the index: or this test would prove nothing
    before = Index.objects.get().chunk_count
    assert documents_delete(project=project, documents=[secret.pk], by=owner) == 1
    assert files_with(SECRET) == []
    assert not Chunk.objects.filter(text__contains=SECRET).exists()
    assert search(project, SECRET, mode="keyword") == []
    assert search(project, "Something else", mode="keyword")[0].chunk.version.document.name == "other.md"
    assert Index.objects.get().chunk_count < before
    for artifact in Artifact.objects.filter(project=project):
        manifest.verify(artifact_path(artifact))


def test_the_tombstone_keeps_the_hash_and_no_name(project: Project, owner: User, secret: Document) -> None:
    documents_delete(project=project, documents=[secret.pk], by=owner)
    found = Document.objects.get(pk=secret.pk)
    assert found.deleted_at and found.erased_at and found.sha256 == secret.sha256 and "secret" not in found.name
    event = AuditEvent.objects.get(action="document.delete")
    assert event.actor == owner and event.before == {"sha256": secret.sha256}


def test_no_finding_of_another_document_keeps_its_name(project: Project, owner: User, secret: Document) -> None:
    documents_upload(project=project, files=[upload("twin.md", f"# {SECRET}\n\nThe {SECRET} patient was treated in March.\n")], by=owner)
    twin = DocumentVersion.objects.get(document__name="twin.md")
    other = DocumentVersion.objects.get(document__name="other.md")
    DocumentVersion.objects.filter(pk=other.pk).update(
        findings=[
            {"code": "duplicate", "message": "As “secret.md”.", "of": str(secret.current_id)},
            {"code": "thin", "message": "Little text."},
        ]
    )
    assert "secret.md" in twin.findings[0]["message"]
    documents_delete(project=project, documents=[secret.pk], by=owner)
    twin.refresh_from_db()
    other.refresh_from_db()
    assert twin.findings == [] and [finding["code"] for finding in other.findings] == ["thin"]


def test_the_name_is_free_again(project: Project, owner: User, secret: Document) -> None:
    documents_delete(project=project, documents=[secret.pk], by=owner)
    (result,) = documents_upload(project=project, files=[upload("secret.md", "# New\n")], by=owner)
    assert result.ok and result.document != str(secret.pk)


def test_deleting_twice_counts_once(project: Project, owner: User, secret: Document) -> None:
    assert documents_delete(project=project, documents=[secret.pk], by=owner) == 1
    assert documents_delete(project=project, documents=[secret.pk], by=owner) == 0


def test_an_erasure_that_died_is_finished_by_the_next(
    project: Project, owner: User, secret: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrieval.services import deleting

    with monkeypatch.context() as patch:
        patch.setattr(deleting, "artifact_without", lambda *_, **__: (_ for _ in ()).throw(OSError("disk")))
        with pytest.raises(OSError, match="disk"):
            documents_delete(project=project, documents=[secret.pk], by=owner)
    assert files_with(SECRET)
    assert search(project, SECRET, mode="keyword") == []
    documents_delete(project=project, documents=[], by=owner)
    assert files_with(SECRET) == []


def test_many_documents_are_taken_out_of_the_index_at_once(
    project: Project, owner: User, secret: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrieval.stores.lance import LanceStore

    calls, remove = list[object](), LanceStore.remove
    monkeypatch.setattr(LanceStore, "remove", lambda *args, **more: calls.append(args) or remove(*args, **more))
    everything = list(Document.objects.filter(project=project).values_list("pk", flat=True))
    assert documents_delete(project=project, documents=everything, by=owner) == len(everything) > 3
    assert len(calls) == 1 and Index.objects.get().chunk_count == 0


def test_a_document_of_another_project_is_not_touched(project: Project, outsider: User, secret: Document) -> None:
    theirs = Project.objects.get(name="Another project")
    assert documents_delete(project=theirs, documents=[secret.pk], by=outsider) == 0
    assert Document.objects.get(pk=secret.pk).deleted_at is None


def test_deleting_the_project_leaves_no_byte(project: Project, owner: User, secret: Document) -> None:
    from runs.models import Run, Status

    Run.objects.filter(project=project).update(status=Status.STOPPED)
    project_delete(project=project, by=owner)
    assert files_with(SECRET) == []
    assert not Document.objects.filter(pk=secret.pk).exists()
