"""RAFT from the page to the table: a worker gathers the passages, a run makes the rows, what goes wrong is told on the page."""

import pytest
from django.core.cache import cache
from django.urls import reverse

from curation.models import Origin, Pair, PairStatus
from curation.services import raft
from curation.services.writing import PairError
from retrieval.stores import StoreError
from runs.models import Run, Status
from runs.services import RunError
from tests.curation.test_contexts import asked  # noqa: F401 (fixture)
from tests.retrieval.conftest import chunks_artifact, embedder, library, read, uploaded  # noqa: F401 (fixtures)


@pytest.fixture(autouse=True)
def forgotten(project):
    yield
    cache.delete(f"raft:{project.pk}")


@pytest.mark.django_db(transaction=True)
def test_rows_with_their_passages_come_into_the_table(project, owner, asked, embedder, supervised):  # noqa: F811
    run = raft.raft_run(project=project, by=owner, pairs=[str(asked.pk)], params={"distractors": 2, "oracle_share": 1})
    assert raft.gathering_of(project).run == str(run.pk)
    supervised(run)
    assert run.status == Status.SUCCEEDED, run.error
    made = Pair.objects.get(origin=Origin.AUGMENTED)
    assert made.parent == asked and made.shape == "raft" and made.question.endswith("What does generator.send do?")
    assert "resumes the execution" in made.question and "“resumes the execution” [" in made.answer
    assert [tag.name for tag in made.tags.all()] == ["raft"] and made.status == PairStatus.PENDING


@pytest.mark.django_db
def test_the_page_shows_how_far_it_is_and_refuses_a_second_time(project, owner, client_for, asked, monkeypatch):  # noqa: F811
    monkeypatch.setattr(raft, "_enqueue", lambda *_: None)  # no worker in this test
    Pair.objects.update(status=PairStatus.APPROVED)
    client, url = client_for(owner), reverse("curation:pairs_raft", args=[project.slug])
    sent = {"distractors": 3, "oracle_share": 0.8, "without": "say_so", "not_there": "Not in these passages."}
    assert client.post(url, sent).status_code == 302
    assert "Gathering passages" in client.get(url).content.decode()
    assert "being gathered already" in client.post(url, sent).content.decode()


@pytest.mark.django_db
def test_what_goes_wrong_is_told_on_the_page(project, owner, client_for, asked, monkeypatch):  # noqa: F811
    def broken(**_):
        raise StoreError("The index cannot be read.")

    monkeypatch.setattr(raft, "contexts_write", broken)
    assert raft.raft_run(project=project, by=owner, pairs=[str(asked.pk)], params={}) is None
    assert "The index cannot be read." in client_for(owner).get(reverse("curation:pairs_raft", args=[project.slug])).content.decode()
    assert not Run.objects.filter(stage="make_raft").exists()


@pytest.mark.django_db
def test_it_refuses_pairs_without_a_source_and_wrong_settings_at_once(project, owner, make_pair):
    make_pair("By hand?")
    with pytest.raises(PairError, match="has a source"):
        raft.raft_start(project=project, by=owner, pairs=Pair.objects.all(), params={})
    with pytest.raises(RunError):
        raft.raft_start(project=project, by=owner, pairs=Pair.objects.all(), params={"oracle_share": 7})
