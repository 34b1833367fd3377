"""The pages: who may, what is shown, and how many queries that takes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from projects.models import Project, User
from retrieval.models import Chunk, Document, DocumentVersion, VersionStatus
from retrieval.services import documents_ingest, documents_upload
from runs.models import Artifact, Run, Status
from tests.retrieval.conftest import upload

pytestmark = pytest.mark.usefixtures("embedder")
For = Callable[[User], Client]


def url(name: str, project: Project, *args: object) -> str:
    return reverse(f"retrieval:{name}", args=[project.slug, *args])


@pytest.mark.parametrize("name", ["documents", "search", "export"])
def test_members_see_and_outsiders_find_nothing(name: str, project: Project, viewer: User, outsider: User, client_for: For) -> None:
    assert client_for(viewer).get(url(name, project)).status_code == 200
    assert client_for(outsider).get(url(name, project)).status_code == 404
    assert Client().get(url(name, project)).status_code == 302


@pytest.mark.parametrize("name", ["upload", "read", "bulk", "measure"])
def test_a_viewer_may_not_build(name: str, project: Project, viewer: User, outsider: User, client_for: For) -> None:
    assert client_for(viewer).post(url(name, project)).status_code == 403
    assert client_for(outsider).post(url(name, project)).status_code == 404


def test_a_document_of_another_project_is_not_there(
    project: Project, library: list[DocumentVersion], outsider: User, client_for: For
) -> None:
    theirs = Project.objects.get(name="Another project")
    client, document = client_for(outsider), library[0].document_id
    for name in ("document", "file"):
        assert client.get(url(name, theirs, document)).status_code == 404
        assert client.get(url(name, project, document)).status_code == 404
    for name in ("delete", "retry"):
        assert client.post(url(name, theirs, document)).status_code == 404
        assert client.post(url(name, project, document)).status_code == 404
    assert Document.objects.filter(project=project, deleted_at=None).count() == 3


def test_an_upload_answers_each_file_with_what_became_of_it(project: Project, engineer: User, client_for: For) -> None:
    client = client_for(engineer)
    good = client.post(url("upload", project), {"file": upload("a.md", "# A\n")})
    assert good.status_code == 200 and good.json()["ok"] and good.json()["name"] == "a.md"
    bad = client.post(url("upload", project), {"file": upload("b.pdf", "no pdf")})
    assert bad.status_code == 200 and not bad.json()["ok"] and bad.json()["message"] and bad.json()["mend"]
    both = client.post(url("upload", project), {"file": [upload("c.md", "# C\n"), ContentFile(b"", name="d.md")]})
    assert [one["ok"] for one in both.json()["files"]] == [True, False]
    none = client.post(url("upload", project))
    assert none.status_code == 400 and not none.json()["ok"]


def multipart(**files: bytes) -> bytes:
    """A form as any client may send it: field → name of the file, as it stands."""
    part = b'--X\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\nContent-Type: text/markdown\r\n\r\n# E\n\r\n'
    return b"".join(part % (field.encode(), name) for field, name in files.items()) + b"--X--\r\n"


@pytest.mark.parametrize("name", [b"../../etc/e.md", b"..\\\\e.md", b"folder/e.md", b".."])
def test_a_name_with_a_folder_is_refused_on_its_own_row_and_not_changed(
    name: bytes, project: Project, engineer: User, client_for: For
) -> None:
    body = multipart(first=name, second="Maß &amp; Zahl.md".encode())
    bad, good = client_for(engineer).post(url("upload", project), body, content_type="multipart/form-data; boundary=X").json()["files"]
    assert not bad["ok"] and "name" in bad["message"] and "Rename" in bad["mend"]
    assert good["ok"] and good["name"] == "Maß &amp; Zahl.md"
    assert [document.name for document in Document.objects.all()] == ["Maß &amp; Zahl.md"]


def test_a_large_file_keeps_its_name_and_bytes(project: Project, engineer: User, client_for: For, settings: Any) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10  # larger ones are written to disk while they come in
    assert client_for(engineer).post(url("upload", project), {"file": upload("long.md", "x" * 5000)}).json()["name"] == "long.md"
    assert DocumentVersion.objects.get().path.read_text() == "x" * 5000


def test_an_upload_needs_the_page_s_token(project: Project, engineer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(engineer)
    assert client.post(url("upload", project), {"file": upload("a.md", "# A\n")}).status_code == 403
    client.get(url("documents", project))
    token = client.cookies["csrftoken"].value
    taken = client.post(url("upload", project), {"file": upload("a.md", "# A\n")}, headers={"X-CSRFToken": token})
    assert taken.status_code == 200


def test_an_empty_project_is_taught_the_next_step(project: Project, owner: User, client_for: For) -> None:
    client = client_for(owner)
    assert b"Begin with your documents" in client.get(url("documents", project)).content
    assert b"nothing to search yet" in client.get(url("search", project)).content


def test_the_table_shows_status_progress_and_errors(
    project: Project, owner: User, uploaded: list[DocumentVersion], client_for: For
) -> None:
    run = documents_ingest(project=project, by=owner)
    progress = {"done": 1, "total": 3, "unit": "documents", "rate": 2.0, "seconds_left": 1.0}
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING, phase="Reading documents", progress=progress)
    DocumentVersion.objects.filter(position=2).update(
        status=VersionStatus.FAILED, error={"code": "x", "message": "It is damaged.", "mend": "Save it again."}
    )
    page = client_for(owner).get(url("documents", project)).content.decode()
    assert "1 of 3 documents" in page and "It is damaged." in page and "could not be read" in page


def test_search_filter_and_sort_narrow_the_table(project: Project, owner: User, library: list[DocumentVersion], client_for: For) -> None:
    client = client_for(owner)

    def names(**query: str) -> list[str]:
        page = client.get(url("documents", project), query).context["page"]
        return [document.name for document in page]

    assert names(sort="-name") == ["yield.md", "with.md", "names.md"]
    assert names(q="yield") == ["yield.md"]
    assert names(status="FAILED") == [] and len(names(language="eng")) == 3 and len(names(finding="any")) == 3
    assert len(names(sort="nonsense", status="nonsense")) == 0 and len(names(sort="; drop")) == 3


def test_queries_do_not_grow_with_rows(project: Project, owner: User, client_for: For, read: Callable[..., Artifact]) -> None:
    client = client_for(owner)

    def fill(first: int, last: int) -> None:
        documents_upload(project=project, files=[upload(f"d{number}.md", f"# D {number}\n") for number in range(first, last)], by=owner)
        versions = list(DocumentVersion.objects.filter(status=VersionStatus.UPLOADED).select_related("document__project"))
        read(versions, {version.document.name: f"# D\n\n{version.document.name} text\n" for version in versions})

    def queries(*urls: str) -> list[int]:
        counts = []
        for one in urls:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(one).status_code == 200
            counts.append(len(captured))
        return counts

    fill(0, 2)
    addresses = [url("documents", project), url("search", project) + "?q=text", url("export", project)]
    queries(*addresses)
    few = queries(*addresses)
    fill(2, 30)
    assert queries(*addresses) == few
    assert max(few) <= 30


def test_bulk_deletes_what_is_chosen_or_all_that_match(
    project: Project, owner: User, library: list[DocumentVersion], client_for: For
) -> None:
    client = client_for(owner)
    client.post(url("bulk", project), {"action": "delete", "ids": [str(library[0].document_id)]})
    assert Document.objects.filter(deleted_at=None).count() == 2
    answer = client.post(url("bulk", project) + "?q=yield", {"action": "delete", "all": "1"})
    assert answer.headers["Location"].endswith("?q=yield")  # the table is as it was left
    assert [document.name for document in Document.objects.filter(deleted_at=None)] == ["with.md"]
    assert client.post(url("bulk", project), {"action": "nonsense"}).status_code == 302
    assert client.post(url("bulk", project), {"action": "delete", "ids": ["nonsense"]}).status_code == 302


def test_a_citation_is_marked_and_text_is_escaped(
    project: Project, owner: User, viewer: User, read: Callable[..., Artifact], client_for: For
) -> None:
    text = "# Title\n\n<script>alert('x')</script> & more text here.\n"
    documents_upload(project=project, files=[upload("x.md", text)], by=owner)
    version = DocumentVersion.objects.select_related("document__project").get()
    read([version], {"x.md": text})
    start = text.index("more")
    page = client_for(viewer).get(url("document", project, version.document_id), {"start": start, "end": start + 9}).content.decode()
    assert '<mark id="passage">more text</mark>' in page
    assert "&lt;script&gt;alert(" in page and "<script>alert(" not in page
    for query in ({"start": "x"}, {"start": 9, "end": 2}, {"start": 10**9, "end": 10**9 + 1}, {"part": 99}, {"version": "x"}):
        assert client_for(viewer).get(url("document", project, version.document_id), query).status_code == 200


def test_an_older_version_can_be_opened_and_says_so(
    project: Project, owner: User, library: list[DocumentVersion], read: Callable[..., Artifact], client_for: For
) -> None:
    documents_upload(project=project, files=[upload("with.md", "# New\n\nNew.\n")], by=owner)
    newest = DocumentVersion.objects.select_related("document__project").get(number=2)
    read([newest], {"with.md": "# New\n\nNew.\n"})
    old = DocumentVersion.objects.get(document=newest.document, number=1)
    page = client_for(owner).get(url("document", project, newest.document_id), {"version": str(old.pk)}).content.decode()
    assert "a newer one has replaced" in page and "context manager" in page


def test_a_deleted_documents_page_is_gone(project: Project, owner: User, library: list[DocumentVersion], client_for: For) -> None:
    client = client_for(owner)
    client.post(url("delete", project, library[0].document_id))
    assert client.get(url("document", project, library[0].document_id)).status_code == 410
    assert client.get(url("file", project, library[0].document_id)).status_code == 404


def test_a_download_is_an_attachment_that_is_not_sniffed(
    project: Project, viewer: User, library: list[DocumentVersion], client_for: For
) -> None:
    response = client_for(viewer).get(url("file", project, library[0].document_id))
    assert response.headers["Content-Disposition"].startswith("attachment") and "names.md" in response.headers["Content-Disposition"]
    assert response.headers["X-Content-Type-Options"] == "nosniff" and response.headers["Content-Type"] == "application/octet-stream"
    assert b"".join(response.streaming_content).startswith(b"# Naming")  # type: ignore[attr-defined]


def test_search_shows_ranks_and_marks_words(project: Project, viewer: User, library: list[DocumentVersion], client_for: For) -> None:
    page = client_for(viewer).get(url("search", project), {"q": "generator <b>"}).content.decode()
    assert "<mark>generator</mark>" in page and "By meaning" in page and "<b>" not in page.replace("<body", "")


def test_search_without_the_embedder_goes_on_by_words(
    project: Project, viewer: User, library: list[DocumentVersion], client_for: For, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrieval import embedding

    def away(*_: object, **__: object) -> None:
        raise embedding.endpoint.EndpointError("unreachable", "The server does not answer.", "Start it.")

    embedding.embed_question.cache_clear()
    monkeypatch.setattr(embedding.endpoint, "embed", away)
    page = client_for(viewer).get(url("search", project), {"q": "generator"}).content.decode()
    assert "ranked by words alone" in page and "yield.md" in page


def test_the_export_is_safe_to_open_in_a_spreadsheet(project: Project, owner: User, client_for: For) -> None:
    documents_upload(project=project, files=[upload("=1+1.md", "# X\n")], by=owner)
    text = b"".join(client_for(owner).get(url("export", project)).streaming_content).decode()  # type: ignore[attr-defined]
    assert "'=1+1.md" in text


def test_no_post_leaves_text_in_the_audit_log(project: Project, owner: User, library: list[DocumentVersion], client_for: For) -> None:
    from projects.models import AuditEvent

    client = client_for(owner)
    client.post(url("bulk", project), {"action": "delete", "all": "1"})
    said = json.dumps(list(AuditEvent.objects.filter(project=project).values("action", "target", "before", "after")))
    assert "document.delete" in said and "document.upload" in said
    assert not any(word in said for word in ("generator", "context manager", "yield.md"))
    assert not Chunk.objects.exists()
