import pytest

from curation.models import Pair, PairStatus
from curation.services import PairError, pair_edit, pairs_generate, pairs_take_in
from projects.models import AuditEvent
from runs.registries import takers
from tests.curation.conftest import make_document, row_for, rows_for, text_with

pytestmark = pytest.mark.django_db


def test_it_takes_pairs_in_with_their_sources(project, pairs_artifact):
    version = make_document(project, "slices.md", text_with(10, "slices"))
    assert pairs_take_in(pairs_artifact(rows_for(version, 10))) == {"new": 10, "known": 0, "refused": 0}
    pair = Pair.objects.first()
    assert pair.status == PairStatus.PENDING
    (source,) = pair.source_list
    assert version.text()[source.start : source.end] == source.evidence
    assert pair.messages == [{"role": "user", "content": pair.question}, {"role": "assistant", "content": pair.answer}]
    assert (pair.document_id, pair.version_id) == (version.document_id, version.pk)


def test_taking_in_again_changes_nothing(project, pairs_artifact, owner):
    version = make_document(project, "slices.md", text_with(10, "slices"))
    artifact = pairs_artifact(rows_for(version, 10))
    pairs_take_in(artifact)
    first = Pair.objects.first()
    pair_edit(pair=first, by=owner, question=first.question, answer="Mended by hand.", reviewer=True)
    before = list(Pair.objects.order_by("pk").values())
    assert pairs_take_in(artifact)["new"] == 0
    assert list(Pair.objects.order_by("pk").values()) == before


def test_a_question_comes_in_once_however_often_it_is_made(project, pairs_artifact):
    version = make_document(project, "slices.md", text_with(10, "slices"))
    rows = rows_for(version, 3)
    rows.append({**rows[0], "question": f"  {rows[0]['question'].upper()} "})
    assert pairs_take_in(pairs_artifact(rows)) == {"new": 3, "known": 1, "refused": 0}
    assert Pair.objects.filter(question=rows[0]["question"]).exists()  # of two the first counts


def test_it_refuses_evidence_that_is_not_where_it_says(project, pairs_artifact):
    version = make_document(project, "slices.md", text_with(10, "slices"))
    good, wrong = rows_for(version, 2)
    wrong["start"] += 1
    assert pairs_take_in(pairs_artifact([good, wrong])) == {"new": 1, "known": 0, "refused": 1}
    assert AuditEvent.objects.get(action="pairs.take_in").after["refused"] == 1


def test_it_refuses_evidence_of_another_projects_document(project, pairs_artifact, outsider):
    foreign = make_document(outsider.projects.get(), "secret.md", text_with(3, "secrets"))
    assert pairs_take_in(pairs_artifact([row_for(foreign, "What is it?", 0, 8)]))["refused"] == 1
    assert not Pair.objects.exists()


def test_it_takes_in_more_than_one_batch_in_few_queries(project, pairs_artifact, django_assert_max_num_queries):
    version = make_document(project, "large.md", text_with(1100, "a large document"))
    artifact = pairs_artifact(rows_for(version, 1100))
    with django_assert_max_num_queries(30):  # a statement inserts a whole batch
        pairs_take_in(artifact)
    assert Pair.objects.count() == 1100
    assert [pair.question.split()[-1] for pair in Pair.objects.order_by("created_at", "pk")[:1]]


def test_pairs_of_a_run_are_taken_in_by_the_registry():
    assert "take_in_pairs" in [taker.__name__ for taker in takers("pairs")]


def test_generating_without_documents_says_so(project, owner):
    with pytest.raises(PairError, match="no documents"):
        pairs_generate(project=project, by=owner)
