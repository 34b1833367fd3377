"""A response's states, and what becomes of the pair with them."""

import pytest

from curation.models import Claim, Pair, PairStatus, Response, ResponseState, Tag
from curation.services import PairError, pair_approve, pair_request_changes
from curation.services.collecting import PlaceTaken, response_begin, response_next
from curation.services.responding import (
    ResponseChanged,
    Said,
    response_discard,
    response_save,
    response_submit,
    response_undo,
)
from tests.conftest import person
from tests.curation.test_collecting import answer, wanted

pytestmark = pytest.mark.django_db


@pytest.fixture
def response(project, annotator, make_pair):
    make_pair("What?", "This.")
    return response_next(project=project, by=annotator)


def test_a_draft_may_be_unfinished_and_keeps_every_field(response, project):
    tag, foreign = Tag.objects.create(project=project, name="ours"), 987654
    said = Said("What is it?", "", "Be brief.", "unsure", (tag.pk, foreign), "Pumps", "hard", "See page 3.", seconds=20)
    saved = response_save(response=response, said=said, revision=response.revision)
    saved = response_save(response=saved, said=said, revision=saved.revision)
    assert [turn["content"] for turn in saved.messages] == ["Be brief.", "What is it?", ""]
    assert (saved.verdict, saved.tags, saved.topic, saved.difficulty) == ("unsure", [tag.pk], "Pumps", "hard")
    assert (saved.comment, saved.seconds, saved.state) == ("See page 3.", 40, ResponseState.DRAFT)
    assert Pair.objects.get().answer == "This."  # the pair stays as it is until a reviewer decides


@pytest.mark.parametrize(
    ("said", "field"),
    [({"verdict": ""}, "verdict"), ({"verdict": "great"}, "verdict"), ({"answer": " "}, "answer"), ({"question": ""}, "question")],
)
def test_what_is_submitted_must_be_whole(response, said, field):
    with pytest.raises(PairError) as error:
        answer(response, **said)
    assert list(error.value.fields) == [field]
    assert Response.objects.get().state == ResponseState.DRAFT and Claim.objects.count() == 1


def test_of_two_windows_the_second_is_told_and_overwrites_nothing(response):
    seen = response.revision
    response_save(response=response, said=Said("What?", "From the first window."), revision=seen)
    for service in (response_save, response_submit):
        with pytest.raises(ResponseChanged):
            service(response=Response.objects.get(), said=Said("What?", "From the second.", verdict="good"), revision=seen)
    now = Response.objects.get()
    assert (now.answer, now.state, Pair.objects.get().collected) == ("From the first window.", ResponseState.DRAFT, 0)


def test_undo_takes_back_what_was_sent_and_holds_the_place(response):
    for send in (answer, lambda again: response_discard(response=again, said=Said("What?", "This."), revision=again.revision)):
        back = response_undo(response=send(response))
        assert (back.state, back.submitted_at) == (ResponseState.DRAFT, None)
        assert Pair.objects.values_list("collected", "responses_left").get() == (0, 0)
        assert Claim.objects.count() == 1
        response = back


def test_nothing_can_be_taken_back_once_a_reviewer_has_decided(response, owner):
    sent = answer(response)
    pair_approve(pair=Pair.objects.get(), by=owner)
    with pytest.raises(PlaceTaken, match="reviewer has decided"):
        response_undo(response=sent)
    assert Response.objects.get().state == ResponseState.SUBMITTED and Pair.objects.get().collected == 1


def test_what_is_sent_after_a_reviewer_decided_stays_a_draft(response, owner):
    pair_approve(pair=Pair.objects.get(), by=owner)
    with pytest.raises(PlaceTaken, match="reviewer has decided"):
        answer(response)
    assert Response.objects.get().state == ResponseState.DRAFT and Pair.objects.get().collected == 0


@pytest.mark.parametrize(
    ("second", "disputed"),
    [
        ({}, False),
        ({"answer": " This. \n"}, False),
        ({"answer": "That."}, True),
        ({"verdict": "bad"}, True),
        ({"topic": "Pumps"}, True),
    ],
)
def test_a_complete_pair_is_disputed_when_people_differ(project, owner, make_pair, second, disputed):
    wanted(project, owner, 2)
    pair = make_pair("What?", "This.", responses_left=2)
    answer(response_begin(pair=pair, by=person("ada")))
    assert not Pair.objects.get().disputed
    answer(response_begin(pair=pair, by=person("ben")), **second)
    assert Pair.objects.get().disputed is disputed


def test_taking_a_response_back_ends_the_dispute_until_it_is_sent_again(project, owner, make_pair):
    wanted(project, owner, 2)
    pair = make_pair("What?", "This.", responses_left=2)
    answer(response_begin(pair=pair, by=person("ada")))
    sent = answer(response_begin(pair=pair, by=person("ben")), verdict="bad")
    assert Pair.objects.get().disputed
    back = response_undo(response=sent)
    assert not Pair.objects.get().disputed
    answer(back, verdict="good")
    assert not Pair.objects.get().disputed and Pair.objects.get().collected == 2


def test_asking_for_changes_gives_the_responses_back_to_their_writers(project, owner, make_pair):
    wanted(project, owner, 2)
    pair = make_pair("What?", "This.", responses_left=2)
    ada, ben = person("ada"), person("ben")
    for user in (ada, ben):
        answer(response_begin(pair=pair, by=user), answer=f"As {user} has it.")
    sent_back = pair_request_changes(pair=Pair.objects.get(), by=owner, note="Shorter, please.")
    assert (sent_back.status, sent_back.collected, sent_back.responses_left) == (PairStatus.CHANGES, 0, 2)
    make_pair("A fresh one?", responses_left=2)
    mine = response_next(project=project, by=ada)
    assert (mine.pair, mine.answer) == (pair, "As Ada has it.")
    answer(mine, answer="Short.")
    assert Pair.objects.get(pk=pair.pk).status == PairStatus.CHANGES
    answer(response_next(project=project, by=ben), answer="Short.")
    again = Pair.objects.get(pk=pair.pk)
    assert (again.status, again.collected, again.disputed) == (PairStatus.PENDING, 2, False)
