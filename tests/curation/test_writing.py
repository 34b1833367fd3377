import pytest

from curation.models import Pair, PairChange, PairStatus
from curation.services import PairChanged, PairError, pair_create, pair_edit
from engine.lib.pair_rows import TURN_LIMIT
from projects.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_a_written_pair_waits_for_review(project, annotator):
    pair = pair_create(project=project, by=annotator, question=" What is it? ", answer=" This. ", system="Be brief.")
    assert (pair.question, pair.answer, pair.status) == ("What is it?", "This.", PairStatus.PENDING)
    assert [message["role"] for message in pair.messages] == ["system", "user", "assistant"]
    assert pair.origin_words == "written by Annotator"


def test_no_question_is_in_a_project_twice(project, annotator, outsider):
    pair_create(project=project, by=annotator, question="What is it?", answer="This.")
    with pytest.raises(PairError, match="already") as refused:
        pair_create(project=project, by=annotator, question="what  is it", answer="That.")
    assert "question" in refused.value.fields
    pair_create(project=outsider.projects.get(), by=outsider, question="What is it?", answer="Elsewhere it may.")
    assert Pair.objects.count() == 2


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ((" ", "a"), "question"), (("q", "\n"), "answer"),
        *((tuple("x" * (TURN_LIMIT + (place == long)) for place in range(3)), ("question", "answer", "system")[long]) for long in range(3)),
    ],
)  # fmt: skip
def test_words_that_cannot_stand_are_refused_by_field(project, annotator, words, field):
    with pytest.raises(PairError) as refused:
        pair_create(project=project, by=annotator, **dict(zip(("question", "answer", "system"), words, strict=False)))
    assert list(refused.value.fields) == [field]


def test_an_edit_leaves_a_line_of_history_and_no_text_in_the_audit_log(make_pair, annotator):
    pair = pair_edit(pair=make_pair("Old?", "Old."), by=annotator, question="New?", answer="New.", reviewer=False)
    change = PairChange.objects.get()
    assert (change.by, change.before["answer"], change.after["answer"]) == (annotator, "Old.", "New.")
    assert pair.edited and pair.revision == 2 and pair.messages[0]["content"] == "New?"
    event = AuditEvent.objects.get(action="pair.edit")
    assert "New" not in str([event.before, event.after, event.target])


def test_an_edit_that_changes_nothing_leaves_no_trace(make_pair, annotator):
    pair_edit(pair=make_pair("Same?", "Same."), by=annotator, question="Same?", answer="Same.", reviewer=False)
    assert not PairChange.objects.exists()


def test_an_edit_by_no_reviewer_sends_an_approved_pair_back(make_pair, annotator, owner):
    pair = make_pair("What?", status=PairStatus.APPROVED, decided_by=owner)
    pair = pair_edit(pair=pair, by=annotator, question="What?", answer="Changed.", reviewer=False)
    assert (pair.status, pair.decided_by, pair.decided_at) == (PairStatus.PENDING, None, None)


def test_an_edit_by_a_reviewer_keeps_the_approval(make_pair, owner):
    pair = make_pair("What?", status=PairStatus.APPROVED, decided_by=owner)
    assert pair_edit(pair=pair, by=owner, question="What?", answer="Mended.", reviewer=True).status == PairStatus.APPROVED


def test_an_edit_answers_a_request_for_changes(make_pair, annotator):
    pair = make_pair("What?", status=PairStatus.CHANGES)
    assert pair_edit(pair=pair, by=annotator, question="What?", answer="Done.", reviewer=False).status == PairStatus.PENDING


def test_of_two_edits_at_once_the_second_is_told(make_pair, annotator, owner):
    pair = make_pair("What?")
    other = Pair.objects.get(pk=pair.pk)
    pair_edit(pair=pair, by=annotator, question="What?", answer="First.", reviewer=False)
    with pytest.raises(PairChanged):
        pair_edit(pair=other, by=owner, question="What?", answer="Second.", reviewer=True)
    assert Pair.objects.get().answer == "First."


def test_an_edit_to_a_question_that_exists_is_refused(make_pair, annotator):
    make_pair("Here?")
    pair = make_pair("There?")
    with pytest.raises(PairError, match="already"):
        pair_edit(pair=pair, by=annotator, question="here", answer="An answer.", reviewer=False)
