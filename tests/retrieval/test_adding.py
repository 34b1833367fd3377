"""Text that is no file of a document becomes ordinary documents."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from retrieval.models import Document
from tests.engine.test_source_split import WIKI

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def places(tmp_path, settings):
    settings.STORAGES = {**settings.STORAGES, "default": {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "files"}}}


@pytest.fixture
def post(client_for, engineer, project):
    url = reverse("retrieval:add_text", args=[project.slug])
    return lambda **data: client_for(engineer).post(url, data)


def stored(name: str) -> str:
    return Document.objects.get(name=name).latest.path.read_text("utf-8")


def test_a_pasted_text_is_a_document(post):
    assert post(form="text", title="Brakes / care", text="They squeak.\r\nClean them.").status_code == 302
    assert stored("Brakes care.md") == "# Brakes care\n\nThey squeak.\nClean them.\n"
    post(form="text", title="Brakes / care", text="New words.")
    assert Document.objects.get().latest.number == 2


def test_each_article_of_a_wiki_is_a_document(post):
    answer = post(form="source", kind="media_wiki", file=SimpleUploadedFile("export.xml", WIKI.encode()))
    assert answer.status_code == 302
    assert "Der Filter sitzt unter der Haube." in stored("Ölfilter Wechsel.md")


@pytest.mark.parametrize(
    ("kind", "name", "content", "words"),
    [
        ("media_wiki", "export.csv", b"a,b", "is no file of this sort"),
        ("html_zip", "space.zip", b"<html>", "is no archive"),
        ("media_wiki", "export.xml", b"<mediawiki><page>", "no whole XML export"),
        ("conversations", "log.csv", b"a,b\n1,2\n", "No messages were found"),
    ],
)
def test_a_source_that_cannot_be_read_says_why_and_keeps_the_page(post, kind, name, content, words):
    answer = post(form="source", kind=kind, file=SimpleUploadedFile(name, content))
    assert answer.status_code == 422 and words in answer.content.decode()
    assert not Document.objects.exists()


def test_what_was_typed_stays_when_something_is_missing(post):
    answer = post(form="text", title="", text="Long words that must not get lost.")
    assert answer.status_code == 422 and "Long words that must not get lost." in answer.content.decode()


def test_only_who_builds_adds(client_for, annotator, project):
    assert client_for(annotator).get(reverse("retrieval:add_text", args=[project.slug])).status_code == 403
