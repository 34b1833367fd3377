"""Erasing a document takes its words out of what curation keeps, and what was cut from its pairs says so."""

import pytest
from django.conf import settings
from django.urls import reverse

from curation.models import Pair
from curation.services import dataset_version_cut, pairs_take_in
from curation.services.writing_out import pair_rows
from engine import manifest
from retrieval.models import Document
from retrieval.services import documents_delete
from runs.artifacts import artifact_path
from tests.curation.conftest import make_document, rows_for, text_with

pytestmark = pytest.mark.django_db
SECRET = "Quetzalcoatlus"


def files_with(text):
    return [path for path in settings.ARTIFACT_ROOT.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.fixture
def secret(project):
    return make_document(project, "secret.md", text_with(3, SECRET))


@pytest.fixture
def other(project):
    return make_document(project, "other.md", text_with(3, "another"))


def test_evidence_goes_and_where_it_stood_stays(project, owner, secret, other, pairs_artifact):
    artifact = pairs_artifact([*rows_for(secret, 3), *rows_for(other, 3)])
    pairs_take_in(artifact)
    before = Pair.objects.filter(version_id=secret.pk).first().source_list[0]
    documents_delete(project=project, documents=[secret.document_id], by=owner)
    for pair in Pair.objects.all():
        (source,) = pair.source_list
        assert bool(source.evidence) is (pair.version_id == other.pk) and pair.answer
    (after,) = Pair.objects.get(sources__0__start=before.start, version_id=secret.pk).source_list
    assert (after.document, after.version, after.start, after.end) == (before.document, before.version, before.start, before.end)
    assert not files_with(SECRET) and files_with("another")
    manifest.verify(artifact_path(artifact))


def test_evidence_goes_from_every_source_of_a_pair(project, owner, secret, other, make_pair):
    pair = make_pair("What?", version=other)
    mine = make_pair("And what?", version=secret).sources[0]
    Pair.objects.filter(pk=pair.pk).update(sources=[*pair.sources, mine])
    documents_delete(project=project, documents=[secret.document_id], by=owner)
    assert [bool(source.evidence) for source in Pair.objects.get(pk=pair.pk).source_list] == [True, False]


def test_what_a_run_made_of_a_document_deleted_meanwhile_is_erased_when_it_comes_in(project, owner, secret, other, pairs_artifact):
    rows = [*rows_for(secret, 3), *rows_for(other, 3)]
    documents_delete(project=project, documents=[secret.document_id], by=owner)
    artifact = pairs_artifact(rows)
    assert files_with(SECRET)
    assert pairs_take_in(artifact) == {"new": 3, "known": 0, "refused": 3}
    assert not files_with(SECRET)


def test_the_page_of_a_pair_says_that_its_document_was_erased(client_for, reviewer, project, owner, secret, make_pair):
    pair = make_pair("What?", version=secret)
    documents_delete(project=project, documents=[secret.document_id], by=owner)
    page = client_for(reviewer).get(reverse("curation:pair", args=[project.slug, pair.pk])).content.decode()
    assert "The document was erased." in page and "The document has changed." not in page and "It read:" not in page


def test_a_dataset_version_says_how_many_of_its_pairs_come_from_erased_documents(client_for, viewer, owner, project, approved):
    version = dataset_version_cut(project=project, by=owner)
    page = reverse("curation:dataset", args=[project.slug, version.number])
    assert "erased since" not in client_for(viewer).get(page).content.decode()
    five, ten = Document.objects.get(name="document-00.md"), Document.objects.get(name="document-01.md")
    documents_delete(project=project, documents=[five.pk], by=owner)
    assert "5 pairs come from a document erased since." in client_for(viewer).get(page).content.decode()
    documents_delete(project=project, documents=[ten.pk], by=owner)
    assert "15 pairs come from documents erased since." in client_for(viewer).get(page).content.decode()
    manifest.verify(artifact_path(version.artifact))


def test_rows_written_out_for_a_run_go_with_the_document_they_quote(project, owner, secret, other, make_pair):
    kept, gone = make_pair("Of the other?", version=other), make_pair("Of the secret one?", version=secret)
    mine, theirs = (pair_rows(project, Pair.objects.filter(pk=pair.pk)) for pair in (gone, kept))
    documents_delete(project=project, documents=[secret.document_id], by=owner)
    mine.refresh_from_db()
    theirs.refresh_from_db()
    assert not mine.ready and theirs.ready and not files_with(SECRET)


def test_rows_of_several_sources_go_when_one_of_them_does(project, owner, secret, other, pairs_artifact):
    def source(version):
        row = rows_for(version, 1)[0]
        return {name: row[name] for name in ("document", "version", "page", "start", "end", "evidence")}

    turns = [{"role": "user", "content": "Compare them?"}, {"role": "assistant", "content": "They differ."}]
    artifact = pairs_artifact([{"messages": turns, "shape": "free", "sources": [source(other), source(secret)]}])
    pairs_take_in(artifact)
    documents_delete(project=project, documents=[secret.document_id], by=owner)
    assert not files_with(SECRET)
    manifest.verify(artifact_path(artifact))
