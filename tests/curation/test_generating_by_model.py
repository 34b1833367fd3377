"""A model writes pairs: ten to look at, then the rest, the whole way through the run and into the table."""

import json

import pytest
from django.db import transaction
from django.urls import reverse

from curation.models import Origin, Pair, PairStatus
from curation.services.generating import generation_estimate, pairs_write, pairs_write_rest, preview_pairs
from curation.services.writing import PairError
from projects.endpoints import endpoint_create
from projects.models import AuditEvent
from retrieval.models import DocumentVersion
from runs.artifacts import artifact_register
from runs.models import Run, Status
from tests.curation.conftest import make_document
from tests.engine.chat_server import chat_server, honest
from tests.engine.test_generate_pairs import TOPICS, text_about

QUICK = {"kinds": ["factual"], "evolve": 0, "wait": 0.01, "parallel": 1}


@pytest.fixture
def library(project, tmp_path):
    """Eight documents of a passage each, read."""
    folder = tmp_path / "chunks"
    (folder / "texts").mkdir(parents=True)
    documents, chunks, versions = [], [], []
    for topic in TOPICS:
        version = make_document(project, f"{topic}.md", text_about(topic))
        place = {"document": str(version.document_id), "version": str(version.pk)}
        documents.append({"id": str(version.document_id), "version": str(version.pk), "status": "ok", "title": topic, "language": "eng"})
        chunks.append({**place, "ordinal": 0, "text": version.text(), "start": 0, "end": len(version.text()), "page": 1, "headings": []})
        versions.append(version.pk)
    for name, rows in (("documents", documents), ("chunks", chunks)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    artifact = artifact_register(project=project, kind="chunks", folder=folder)
    DocumentVersion.objects.filter(pk__in=versions).update(artifact=artifact, chunk_count=1)
    return versions


def writer_at(project, owner, url):
    fields = {"name": "Elsewhere", "url": url, "model": "writer-1", "allow_private": True, "price_in": 1.0, "price_out": 4.0}
    return f"endpoint:{endpoint_create(project=project, by=owner, key='sk-secret', **fields).pk}"


@pytest.mark.django_db(transaction=True)
def test_ten_are_looked_at_and_then_the_rest_is_made(project, owner, client_for, library, supervised):
    client = client_for(owner)
    with chat_server(honest) as server:
        writer = writer_at(project, owner, server.url)
        sent = {"writer": writer, "total": 7, **{k: v for k, v in QUICK.items() if k != "kinds"}, "kinds": ["factual"], "max_calls": 50}
        sent |= {"max_tokens": 0, "max_cost": 0, "per_call": 1, "minimum_support": 0.6, "answer_tokens": 300, "temperature": 0.5}
        response = client.post(reverse("curation:pairs_write", args=[project.slug]), {**sent, "seconds": 20, "tries": 2})
        assert response.status_code == 302, response.context["form"].errors
        run = Run.objects.get(stage="generate_pairs")
        Run.objects.filter(pk=run.pk).update(params={**run.params, "preview": 3})  # of seven, three are enough to look at
        waiting = client.get(response.headers["Location"]).content.decode()
        assert "every 2s" in waiting and "Make the rest" not in waiting
        supervised(run)
        assert run.status == Status.SUCCEEDED, run.error
        assert not Pair.objects.exists()  # only looked at so far
        page = client.get(response.headers["Location"]).content.decode()
        assert page.count("<li class=") >= 3 and "Make the rest" in page and "Data leaves this machine" in page
        client.post(response.headers["Location"])
        rest = Run.objects.filter(stage="generate_pairs").exclude(pk=run.pk).get()
        assert rest.seed == run.seed and rest.params["preview"] == 0
        supervised(rest)
    assert rest.status == Status.SUCCEEDED, rest.error
    pairs = list(Pair.objects.all())
    assert (
        len(pairs) == 7
        and {pair.origin for pair in pairs} == {Origin.GENERATED}
        and {pair.status for pair in pairs} == {PairStatus.PENDING}
    )
    assert pairs[0].made_by == "generate_pairs, Elsewhere (writer-1)" and pairs[0].language == "en" and pairs[0].difficulty == "easy"
    assert all(pair.source_list[0].evidence == pair.answer for pair in pairs)
    assert preview_pairs(run).facts["cost"] > 0 and server.keys == {"Bearer sk-secret"}
    assert "sk-secret" not in json.dumps([run.params, rest.params])
    assert AuditEvent.objects.filter(action="data.send").count() == 2


@pytest.mark.django_db
def test_the_page_estimates_and_announces_where_the_data_goes(project, owner, client_for, library):
    writer = writer_at(project, owner, "http://127.0.0.1:9/v1")
    url = reverse("curation:pairs_write", args=[project.slug])
    page = client_for(owner).get(url, {"writer": writer, "total": 100, "kinds": ["factual"], "evolve": 0}).content.decode()
    assert "Data leaves this machine" in page and "127.0.0.1" in page
    assert "<strong>8</strong> passages" in page and "<strong>143</strong> calls" in page and "costs about" in page


@pytest.mark.django_db
def test_the_estimate_grows_with_what_is_asked_for_and_ends_at_the_budget(project, library):
    plain = generation_estimate(project, None, {"total": 100, "kinds": ["factual"], "evolve": 0})
    harder = generation_estimate(project, None, {"total": 100, "kinds": ["factual"], "evolve": 2})
    capped = generation_estimate(project, None, {"total": 100, "kinds": ["factual"], "evolve": 2, "max_calls": 20})
    assert plain.calls < harder.calls and plain.tokens_in < harder.tokens_in and capped.calls == 20 and plain.cost == 0


@pytest.mark.django_db
def test_without_a_model_or_documents_it_says_what_to_do(project, owner, client_for):
    page = client_for(owner).get(reverse("curation:pairs_write", args=[project.slug])).content.decode()
    assert "No document has been read yet" in page
    with pytest.raises(PairError, match="not there any more"), transaction.atomic():
        pairs_write(project=project, by=owner, writer="endpoint:nothing", params={})


@pytest.mark.django_db
def test_wrong_settings_come_back_with_what_was_typed(project, owner, client_for, library):
    writer = writer_at(project, owner, "http://127.0.0.1:9/v1")
    sent = {"writer": writer, "total": 0, "kinds": ["factual"], "personas": "a new nurse"}
    response = client_for(owner).post(reverse("curation:pairs_write", args=[project.slug]), sent)
    assert response.status_code == 422 and "a new nurse" in response.content.decode() and not Run.objects.exists()


@pytest.mark.django_db
def test_the_rest_needs_a_preview_that_made_something(project, owner, library):
    writer = writer_at(project, owner, "http://127.0.0.1:9/v1")
    run = pairs_write(project=project, by=owner, writer=writer, params=QUICK)
    with pytest.raises(PairError, match="not complete"):
        pairs_write_rest(preview=run, by=owner)


@pytest.mark.django_db
def test_what_the_address_says_is_where_the_form_begins(project, owner, client_for, library):
    writer = writer_at(project, owner, "http://127.0.0.1:9/v1")
    url = reverse("curation:pairs_write", args=[project.slug])
    response = client_for(owner).get(url, {"writer": writer, "total": 77, "kinds": ["cause"]})
    form = response.context["form"]
    assert response.status_code == 200 and not form.errors
    assert (form["total"].value(), form["kinds"].value(), form["max_calls"].value()) == (77, ["cause"], 1000)
