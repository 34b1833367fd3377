"""What becomes of a rating: what it keeps, and the pair that is made of the answer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from curation.errors import PairError
from curation.models import Origin, Pair, PairStatus
from curation.services import pair_create
from curation.services.from_chat import QuestionKnown
from playground.models import Conversation, Feedback, Message, Reason
from playground.selectors import model_label
from playground.services import answer_make_pair, conversation_delete, feedback_give, feedback_withdraw
from projects.models import AuditEvent, Project, User
from retrieval.models import DocumentVersion
from runs.models import Artifact
from tests.playground.conftest import SUITE, citation, last

pytestmark = pytest.mark.django_db
Talk = Callable[..., Conversation]
Rate = Callable[..., Message]
MENDED = "A group of statements under a clause."


def given(message: Message) -> Feedback:
    return Feedback.objects.select_related("message__conversation__project", "message__conversation__model").get(message=message)


# --- rating ---


def test_an_answer_left_as_it_is_counts_as_not_corrected(viewer: User, rate: Rate) -> None:
    message = rate(viewer, good=False, answer="A sweet.\nIt tastes good.", correction=" A sweet.\r\nIt tastes good. ")
    assert given(message).correction == "" and given(message).right_answer == ""


def test_a_correction_is_kept_as_one_typed_it(viewer: User, rate: Rate) -> None:
    message = rate(viewer, good=False, correction="A group\r\nof statements. ", reasons=["wrong", "beside"])
    assert given(message).correction == "A group\nof statements."
    assert given(message).reason_words == ["It answers something else", "It is not true"]


def test_a_thumb_up_after_a_correction_forgets_what_was_wrong(viewer: User, rate: Rate) -> None:
    message = rate(viewer, good=False, correction=MENDED, reasons=["wrong"])
    feedback_give(message=message, user=viewer, good=True)
    assert (given(message).correction, given(message).reasons, given(message).right_answer) == ("", [], "A sweet.")


def test_a_rating_can_be_taken_back_and_its_pair_stays(owner: User, rate: Rate) -> None:
    message = rate(owner)
    pair = answer_make_pair(feedback=given(message), by=owner)
    feedback_withdraw(message=message, user=owner)
    assert not Feedback.objects.exists() and Pair.objects.get() == pair


# --- pairs ---


def test_a_good_answer_becomes_a_pair_that_waits_for_review(project: Project, owner: User, talk: Talk, version: DocumentVersion) -> None:
    message = last(talk(owner, ("What is a suite?", SUITE), cited=version))
    feedback_give(message=message, user=owner, good=True)
    pair = answer_make_pair(feedback=given(message), by=owner)
    message.refresh_from_db()
    assert message.pair == pair
    pair.refresh_from_db()
    assert (pair.question, pair.answer, pair.status, pair.origin) == ("What is a suite?", SUITE, PairStatus.PENDING, Origin.FEEDBACK)
    assert pair.made_by == model_label(message.conversation.model) and pair.origin_words.startswith("from chat with Quantised")
    assert (pair.rejected, pair.fork, pair.stale, pair.created_by) == ([], None, False, owner)
    [source] = pair.source_list
    assert source.evidence == SUITE and source.holds_in(version.text()) and pair.version_id == version.pk
    event = AuditEvent.objects.get(project=project, action="pair.create")
    assert event.target == f"pair {pair.pk}" and event.after == {"origin": "feedback", "preference": False}


def test_of_a_corrected_answer_the_models_own_is_the_rejected_one(owner: User, rate: Rate) -> None:
    message = rate(owner, good=False, correction=MENDED)
    pair = answer_make_pair(feedback=given(message), by=owner)
    assert pair.answer == MENDED
    assert (pair.rejected, pair.fork) == ([{"role": "assistant", "content": "A sweet."}], 1)


def test_earlier_turns_come_along_as_the_model_was_sent_them_and_corrected(owner: User, talk: Talk) -> None:
    turns = [(f"Question {number}?", f"Answer {number}.") for number in range(5)]
    conversation = talk(owner, *turns)
    third = conversation.messages.get(text="Answer 3.")
    feedback_give(message=third, user=owner, good=False, correction="Answer three.")
    message = last(conversation)
    feedback_give(message=message, user=owner, good=True)
    pair = answer_make_pair(feedback=given(message), by=owner)
    said = ["Question 1?", "Answer 1.", "Question 2?", "Answer 2.", "Question 3?", "Answer three.", "Question 4?", "Answer 4."]
    assert [turn["content"] for turn in pair.messages] == said
    assert [turn["role"] for turn in pair.messages] == ["user", "assistant"] * 4


def test_a_pair_is_made_once(project: Project, owner: User, rate: Rate) -> None:
    message = rate(owner)
    first = answer_make_pair(feedback=given(message), by=owner)
    assert answer_make_pair(feedback=given(message), by=owner, answer="Something else.") == first
    assert Pair.objects.filter(project=project).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_presses_at_once_one_makes_the_pair(project: Project, owner: User, rate: Rate) -> None:
    message = rate(owner)

    def press(_: int) -> Any:
        try:
            return answer_make_pair(feedback=given(message), by=owner).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(press, range(8)))
    assert made == set(Pair.objects.values_list("pk", flat=True)) and len(made) == 1


def test_a_question_that_the_pairs_have_leads_to_that_pair_and_changes_nothing(project: Project, owner: User, rate: Rate) -> None:
    there = pair_create(project=project, by=owner, question="what is a suite", answer=MENDED)
    message = rate(owner)
    with pytest.raises(QuestionKnown) as refused:
        answer_make_pair(feedback=given(message), by=owner)
    message.refresh_from_db()
    assert refused.value.pair == there and message.pair is None and Pair.objects.count() == 1


def test_without_a_right_answer_there_is_no_pair(owner: User, rate: Rate) -> None:
    message = rate(owner, good=False)
    with pytest.raises(PairError, match="should have said"):
        answer_make_pair(feedback=given(message), by=owner)
    with pytest.raises(PairError, match="called not good"):
        answer_make_pair(feedback=given(message), by=owner, answer="A sweet.")
    assert answer_make_pair(feedback=given(message), by=owner, answer=MENDED).answer == MENDED


def test_half_an_answer_teaches_nothing_neither_as_chosen_nor_as_rejected(owner: User, talk: Talk) -> None:
    message = last(talk(owner, ("What is a suite?", "A suite is"), cut_off=True))
    feedback_give(message=message, user=owner, good=True)
    with pytest.raises(PairError, match="should have said"):
        answer_make_pair(feedback=given(message), by=owner)
    pair = answer_make_pair(feedback=given(message), by=owner, answer=MENDED)
    assert pair.answer == MENDED and pair.rejected == []


def test_a_citation_that_no_longer_holds_is_no_source(owner: User, talk: Talk, version: DocumentVersion) -> None:
    message = last(talk(owner, ("What is a suite?", SUITE)))
    message.citations = [citation(version, "words that never stood there").model_dump()]
    message.save()
    feedback_give(message=message, user=owner, good=True)
    assert answer_make_pair(feedback=given(message), by=owner).sources == []


def test_a_passage_that_was_called_wrong_is_no_source(owner: User, talk: Talk, version: DocumentVersion) -> None:
    message = last(talk(owner, ("What is a suite?", "A sweet."), cited=version))
    feedback_give(message=message, user=owner, good=False, correction=MENDED, reasons=[Reason.PASSAGE])
    assert answer_make_pair(feedback=given(message), by=owner).sources == []


def test_a_source_in_an_older_version_makes_the_pair_stale(owner: User, talk: Talk, version: DocumentVersion) -> None:
    DocumentVersion.objects.filter(pk=version.pk).update(superseded_at=version.created_at)
    message = last(talk(owner, ("What is a suite?", SUITE), cited=version))
    feedback_give(message=message, user=owner, good=True)
    pair = answer_make_pair(feedback=given(message), by=owner)
    assert pair.stale and pair.source_list


def test_a_deleted_conversation_leaves_its_pair(owner: User, rate: Rate, gguf: Artifact) -> None:
    message = rate(owner)
    feedback = given(message)
    pair = answer_make_pair(feedback=feedback, by=owner)
    conversation_delete(conversation=message.conversation)
    assert Pair.objects.get() == pair
    with pytest.raises(PairError, match="deleted meanwhile"):
        answer_make_pair(feedback=feedback, by=owner)
