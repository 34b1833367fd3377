"""Taking in what a run read: complete, idempotent, and never half visible."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from django.db import connection

from projects import registries
from projects.models import Project, User
from retrieval.models import Chunk, Document, DocumentVersion, Index, VersionStatus
from retrieval.search import search
from retrieval.services import documents_delete, documents_upload
from retrieval.stores import store
from retrieval.stores.base import space_of
from runs.artifacts import artifact_path
from runs.models import Artifact
from runs.taking_in import TakeInError, _take_in
from tests.materials import ROOT
from tests.retrieval.conftest import TEXTS, passages, upload

pytestmark = pytest.mark.usefixtures("embedder")


def stored(project: Project) -> int:
    return store().count(space_of(Index.objects.get(project=project)))


def test_it_brings_texts_passages_and_vectors_in(project: Project, library: list[DocumentVersion]) -> None:
    version = DocumentVersion.objects.get(document__name="with.md")
    assert version.status == VersionStatus.READY and version.language == "eng" and version.title == "The with statement"
    assert version.text() == TEXTS["with.md"]
    for chunk in Chunk.objects.all():
        assert chunk.text == chunk.version.text()[chunk.start : chunk.end]
    index = Index.objects.get(project=project)
    assert index.ready and index.chunk_count == Chunk.objects.count() == stored(project)
    assert version.chunk_count == version.chunks.count() > 0
    assert Document.objects.get(name="with.md").current == version


def test_line_ends_keep_their_offsets(project: Project, owner: User, read: Callable[..., Artifact]) -> None:
    documents_upload(project=project, files=[upload("crlf.txt", "one\r\n\r\ntwo\r\n")], by=owner)
    version = DocumentVersion.objects.select_related("document").get()
    read([version], {"crlf.txt": "one\r\n\r\ntwo\r\n"})
    assert version.text() == "one\r\n\r\ntwo\r\n"


def test_taking_in_twice_changes_nothing(
    project: Project, uploaded: list[DocumentVersion], chunks_artifact: Callable[..., Artifact]
) -> None:
    artifact = chunks_artifact(uploaded)
    _take_in(artifact)
    before = sorted(Chunk.objects.values_list("pk", "text")), stored(project), list(DocumentVersion.objects.values())
    Artifact.objects.filter(pk=artifact.pk).update(ready=False)
    _take_in(Artifact.objects.get(pk=artifact.pk))
    assert (sorted(Chunk.objects.values_list("pk", "text")), stored(project), list(DocumentVersion.objects.values())) == before


TAKE_IN = """
import django; django.setup()
from retrieval.services import taking_in
from runs.models import Artifact
from runs.taking_in import TakeInError, _take_in
taking_in.BATCH = 2
_take_in(Artifact.objects.get(pk={pk!r}))
"""


def taken_in_by_a_process(artifact: Artifact, **variables: str) -> int:
    """How a process of its own, a worker as it were, ended that takes ``artifact`` in; ``variables`` may name a fault."""
    database = f"sqlite:///{connection.settings_dict['NAME']}"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": database, **variables}
    command = [sys.executable, "-c", TAKE_IN.format(pk=str(artifact.pk))]
    return subprocess.run(command, cwd=ROOT, env=environment, timeout=60).returncode


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["documents.after_rows", "documents.after_vectors", "documents.before_ready", "documents.after_ready"])
def test_who_is_killed_half_way_is_followed_by_one_that_finishes(
    project: Project, uploaded: list[DocumentVersion], chunks_artifact: Callable[..., Artifact], point: str
) -> None:
    artifact = chunks_artifact(uploaded)
    assert taken_in_by_a_process(artifact, STUDIO_FAULT=point) == -signal.SIGKILL
    assert not Artifact.objects.get(pk=artifact.pk).ready
    assert search(project, "yield expression") == []  # an index that is not ready is not searched
    left = set(Chunk.objects.values_list("pk", flat=True))
    assert left, "it died before it had written anything"
    assert taken_in_by_a_process(artifact) == 0
    assert Artifact.objects.get(pk=artifact.pk).ready
    wanted = {(version.pk, *span) for version in uploaded for span in passages(TEXTS[version.document.name])}
    assert set(Chunk.objects.values_list("version", "start", "end")) == wanted
    assert left <= set(Chunk.objects.values_list("pk", flat=True)), "what was there before is the same row afterwards"
    assert Chunk.objects.count() == len(wanted) == stored(project)
    index = Index.objects.get(project=project)
    assert index.ready and index.chunk_count == len(wanted)
    assert {version.status for version in DocumentVersion.objects.all()} == {VersionStatus.READY}
    found = [hit.chunk.pk for hit in search(project, "yield expression", k=50)]
    assert len(found) == len(set(found)) == len(wanted)
    assert search(project, "yield expression")[0].chunk.version.document.name == "yield.md"


def test_what_cannot_be_taken_in_is_said_and_is_not_ready(
    uploaded: list[DocumentVersion], chunks_artifact: Callable[..., Artifact]
) -> None:
    artifact = chunks_artifact(uploaded)
    (artifact_path(artifact) / "vectors.npy").unlink()
    with pytest.raises(TakeInError, match=r"could not be taken in.*vectors\.npy"):
        _take_in(artifact)
    assert not Artifact.objects.get(pk=artifact.pk).ready


def test_a_document_that_could_not_be_read_gets_its_error_and_the_others_are_there(
    project: Project, uploaded: list[DocumentVersion], chunks_artifact: Callable[..., Artifact]
) -> None:
    error = {"code": "damaged", "message": "It is damaged.", "mend": "Save it again."}
    _take_in(chunks_artifact(uploaded, failed={uploaded[0].pk: error}))
    versions = {version.pk: version for version in DocumentVersion.objects.all()}
    assert versions[uploaded[0].pk].status == VersionStatus.FAILED and versions[uploaded[0].pk].error == error
    assert {versions[one.pk].status for one in uploaded[1:]} == {VersionStatus.READY}


def test_only_the_newest_version_is_found_and_dependents_go_stale(
    project: Project, owner: User, library: list[DocumentVersion], read: Callable[..., Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[list[object], bool]] = []

    def made_from(versions: list[object], stale: bool) -> list[dict[str, object]]:
        told.append((versions, stale))
        return [{"title": "12 pairs", "url": "", "stale": True}]

    monkeypatch.setattr(registries, "_dependents", {"document_version": [made_from]})
    text = "# The with statement\n\nEntirely rewritten, about zebras.\n"
    documents_upload(project=project, files=[upload("with.md", text)], by=owner)
    assert any(hit.chunk.version.document.name == "with.md" for hit in search(project, "context manager", mode="keyword"))
    newest = DocumentVersion.objects.select_related("document__project").get(document__name="with.md", number=2)
    read([newest], {"with.md": text})
    assert search(project, "zebras", mode="keyword")[0].chunk.version == newest
    for mode in ("keyword", "vector", "hybrid"):
        hits = search(project, "context manager execution of a block", k=50, mode=mode)  # type: ignore[arg-type]
        assert all(hit.chunk.version_id != library[1].pk for hit in hits)
    old = DocumentVersion.objects.get(document__name="with.md", number=1)
    assert old.superseded_at and old.text() == TEXTS["with.md"]
    assert told == [([old.pk], True)]
    assert stored(project) == Index.objects.get(project=project).chunk_count == Chunk.objects.filter(version__superseded_at=None).count()


def test_a_version_that_fails_leaves_the_one_before_in_search(
    project: Project, owner: User, library: list[DocumentVersion], chunks_artifact: Callable[..., Artifact]
) -> None:
    documents_upload(project=project, files=[upload("with.md", "broken")], by=owner)
    newest = DocumentVersion.objects.select_related("document__project").get(number=2)
    other = DocumentVersion.objects.select_related("document__project").get(document__name="names.md")
    _take_in(chunks_artifact([newest, other], failed={newest.pk: {"code": "x", "message": "m", "mend": ""}}))
    assert search(project, "context manager", mode="keyword")[0].chunk.version.number == 1


def test_a_document_deleted_while_it_was_read_stays_deleted(
    project: Project, owner: User, uploaded: list[DocumentVersion], chunks_artifact: Callable[..., Artifact]
) -> None:
    artifact = chunks_artifact(uploaded)
    documents_delete(project=project, documents=[uploaded[0].document_id], by=owner)
    artifact.refresh_from_db()
    _take_in(artifact)
    assert not Chunk.objects.filter(version=uploaded[0]).exists()
    assert not (artifact_path(artifact) / "texts" / f"{uploaded[0].pk}.txt").exists()
    assert Chunk.objects.filter(version=uploaded[1]).exists()
