import pytest

from curation.models import Pair, PairChange, PairStatus
from curation.services import (
    PairChanged,
    PairError,
    pair_approve,
    pair_edit,
    pair_reject,
    pair_reopen,
    pair_request_changes,
    pair_review,
    pairs_approve_by_rule,
    pairs_decide_bulk,
)
from projects.models import AuditEvent
from tests.curation.conftest import make_document, text_with

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("service", "status"),
    [(pair_approve, PairStatus.APPROVED), (pair_reject, PairStatus.REJECTED)],
    ids=["approve", "reject"],
)
def test_a_decision_names_who_decided_and_when(make_pair, owner, service, status):
    pair = service(pair=make_pair("What?"), by=owner)
    assert (pair.status, pair.decided_by) == (status, owner) and pair.decided_at
    assert PairChange.objects.get().after["status"] == status
    assert AuditEvent.objects.filter(action__startswith="pair.").count() == 1


def test_asking_for_changes_needs_a_note(make_pair, owner):
    with pytest.raises(PairError, match="what should change"):
        pair_request_changes(pair=make_pair("What?"), by=owner, note=" ")
    assert pair_request_changes(pair=make_pair("How?"), by=owner, note="Shorter.").note == "Shorter."


def test_of_two_reviewers_the_second_is_told(make_pair, owner, reviewer):
    pair = make_pair("What?")
    other = Pair.objects.get(pk=pair.pk)
    pair_approve(pair=pair, by=owner)
    with pytest.raises(PairChanged):
        pair_reject(pair=other, by=reviewer)
    assert Pair.objects.get().status == PairStatus.APPROVED


def test_a_reviewer_cannot_approve_words_they_have_not_seen(make_pair, owner, annotator):
    pair = make_pair("What?")
    seen = Pair.objects.get(pk=pair.pk)
    pair_edit(pair=pair, by=annotator, question="What?", answer="Something else.", reviewer=False)
    with pytest.raises(PairChanged):
        pair_approve(pair=seen, by=owner)


def test_a_decision_can_be_taken_back(make_pair, owner):
    pair = pair_reopen(pair=pair_approve(pair=make_pair("What?"), by=owner), by=owner)
    assert (pair.status, pair.decided_by, pair.decided_at) == (PairStatus.PENDING, None, None)


def test_mending_and_approving_happen_together_or_not_at_all(make_pair, owner):
    pair = make_pair("What?")
    make_pair("Taken?")
    with pytest.raises(PairError):
        pair_review(pair=pair, by=owner, decision=PairStatus.APPROVED, question="taken", answer="An answer.")
    assert Pair.objects.get(pk=pair.pk).status == PairStatus.PENDING
    pair = pair_review(pair=pair, by=owner, decision=PairStatus.APPROVED, question="What?", answer="Better.")
    assert (pair.answer, pair.status) == ("Better.", PairStatus.APPROVED)


def test_a_bulk_decision_touches_this_projects_pairs_alone(project, make_pair, owner, outsider):
    mine, done = make_pair("Mine?"), make_pair("Done?", status=PairStatus.APPROVED)
    foreign = make_pair("Foreign?")
    Pair.objects.filter(pk=foreign.pk).update(project=outsider.projects.get())
    count = pairs_decide_bulk(project=project, by=owner, pairs=Pair.objects.all(), status=PairStatus.APPROVED, described="all")
    assert count == 1
    assert set(Pair.objects.filter(status=PairStatus.APPROVED)) == {mine, done}
    assert AuditEvent.objects.get(action="pairs.approve").after == {"count": 1, "status": "APPROVED"}


def test_the_rule_approves_what_stands_in_its_source(project, make_pair, owner):
    version = make_document(project, "a.md", text_with(10, "a"))
    good = make_pair("What does sentence zero say?", version=version)
    make_pair("Short answer, is it?", "x", version=version)
    make_pair("What has no source at all?")
    moved = make_pair("What has moved away since?", version=version)
    moved.sources[0]["start"] = 3
    moved.save()
    stale = make_pair("What was it in the older version?", version=version, stale=True)
    rejected = make_pair("What was rejected before?", version=version, status=PairStatus.REJECTED)
    assert pairs_approve_by_rule(project=project, by=owner) == 1
    good.refresh_from_db()
    assert (good.status, good.decided_by) == (PairStatus.APPROVED, None)
    assert good.decided_words.startswith("rule: ")
    assert {stale.pk, rejected.pk}.isdisjoint(Pair.objects.filter(status=PairStatus.APPROVED).values_list("pk", flat=True))
    event = AuditEvent.objects.get(action="pairs.approve_by_rule")
    assert event.target == "approved by rule" and event.after["count"] == 1 and event.after["rule"]


def test_the_rule_approves_nothing_twice(project, make_pair, owner):
    make_pair("What does sentence zero say?", version=make_document(project, "a.md", text_with(10, "a")))
    assert pairs_approve_by_rule(project=project, by=owner) == 1
    assert pairs_approve_by_rule(project=project, by=owner) == 0
    assert AuditEvent.objects.filter(action="pairs.approve_by_rule").count() == 1
