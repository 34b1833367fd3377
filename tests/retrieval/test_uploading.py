"""Uploading: good files are kept, each bad one gets a clear message of its own, and the others go on."""

import io
import zipfile
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile

from dslm_studio import environment
from projects.models import AuditEvent, Project, User
from retrieval.files import root
from retrieval.models import Document, DocumentVersion, VersionStatus
from retrieval.services import UploadResult, documents_upload
from tests.retrieval.conftest import upload


def send(project: Project, by: User, *files: object) -> list[UploadResult]:
    return documents_upload(project=project, files=files, by=by)  # type: ignore[arg-type]


def test_it_keeps_a_file_under_a_generated_name(project: Project, owner: User) -> None:
    (result,) = send(project, owner, upload("Straße & Co.md", "# Hello\n"))
    version = DocumentVersion.objects.get(document__name="Straße & Co.md")
    assert result.ok and result.document == str(version.document_id)
    assert version.status == VersionStatus.UPLOADED and version.number == 1
    assert version.path.read_text() == "# Hello\n"
    assert version.path.name == f"{version.pk}.md" and version.path.is_relative_to(root())


def test_it_takes_paths_and_open_files_alike(project: Project, owner: User, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one")
    results = send(project, owner, tmp_path / "a.md", ContentFile(b"two", name="b.txt"))
    assert [result.ok for result in results] == [True, True]


def bomb() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 60 * 2**20)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.md", b"", "empty"),
        ("zero.pdf", b"", "empty"),
        ("not-really.pdf", b"just text", "content is"),
        ("bomb.docx", None, "unpack"),
        ("virus.exe", b"MZ\x00", "type"),
        ("..", b"x", "name"),
    ],
)
def test_it_says_clearly_what_is_wrong_and_goes_on_with_the_others(
    project: Project, owner: User, name: str, content: bytes | None, said: str
) -> None:
    bad = ContentFile(bomb() if content is None else content, name=name)
    first, second = send(project, owner, bad, upload("good.md", "# Good\n"))
    assert not first.ok and said in first.message and first.mend
    assert second.ok
    assert [document.name for document in Document.objects.filter(project=project)] == ["good.md"]


def test_a_name_that_leads_out_of_the_folder_is_refused(project: Project, owner: User) -> None:
    (result,) = send(project, owner, ContentFile(b"x", name="../../etc/passwd.md"))
    assert not result.ok and "folder" in result.message
    assert not Document.objects.exists()


def test_a_file_over_the_limit_is_refused(project: Project, owner: User, settings: object) -> None:
    settings.UPLOAD_MAX_BYTES = 10  # type: ignore[attr-defined]
    (result,) = send(project, owner, upload("long.md", "x" * 11))
    assert not result.ok and "limit" in result.message


def test_a_limit_that_no_stage_could_keep_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_UPLOAD_MAX_MB", "2001")
    with pytest.raises(ImproperlyConfigured, match="at most 2000"):
        environment.number("STUDIO_UPLOAD_MAX_MB", 100, most=2000)


def test_text_that_is_not_utf_8_is_kept_for_the_reader_to_judge(project: Project, owner: User) -> None:
    (result,) = send(project, owner, upload("latin.txt", "Käse".encode("latin-1")))
    assert result.ok


def test_the_same_bytes_again_change_nothing(project: Project, owner: User) -> None:
    send(project, owner, upload("a.md", "one"))
    before = set(root().rglob("*"))
    (result,) = send(project, owner, upload("a.md", "one"))
    assert result.ok and "unchanged" in result.message
    assert DocumentVersion.objects.count() == 1
    assert set(root().rglob("*")) == before


def test_the_same_name_with_other_bytes_is_a_new_version(project: Project, owner: User) -> None:
    send(project, owner, upload("a.md", "one"))
    (result,) = send(project, owner, upload("a.md", "two"))
    document = Document.objects.get()
    assert "version 2" in result.message
    assert document.latest is not None and document.latest.number == 2 and document.versions.count() == 2


def test_the_same_bytes_under_another_name_are_told(project: Project, owner: User) -> None:
    send(project, owner, upload("a.md", "one"))
    (result,) = send(project, owner, upload("b.md", "one"))
    assert result.ok and "a.md" in result.message
    assert DocumentVersion.objects.get(document__name="b.md").findings[0]["code"] == "same_bytes"


def test_a_failed_document_sent_again_is_read_again(project: Project, owner: User) -> None:
    send(project, owner, upload("a.md", "one"))
    DocumentVersion.objects.update(status=VersionStatus.FAILED, error={"code": "x", "message": "m", "mend": ""})
    (result,) = send(project, owner, upload("a.md", "one"))
    assert "read again" in result.message
    assert DocumentVersion.objects.get().status == VersionStatus.UPLOADED


def test_the_audit_log_gets_no_text_and_no_name(project: Project, owner: User) -> None:
    send(project, owner, upload("Jane Doe diagnosis.md", "private"))
    event = AuditEvent.objects.get(action="document.upload")
    said = f"{event.target} {event.before} {event.after}"
    assert "Jane" not in said and "private" not in said and "sha256" in said
