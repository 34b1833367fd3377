"""Adjudicating, deciding what all agree on, and taking changes back."""

import pytest

from curation.models import Pair, PairChange, PairStatus, PairTag, Response, Tag
from curation.selectors.collecting import pairs_in_review
from curation.selectors.history import history_lines
from curation.services import PairChanged, PairError, pair_approve, pair_edit, pair_reject, pair_request_changes
from curation.services.collecting import response_begin
from curation.services.responding import Said, response_discard, response_undo
from curation.services.reviewing import change_undo, pair_adjudicate, pairs_approve_agreed
from curation.services.writing import derived
from projects.models import AuditEvent
from tests.conftest import person
from tests.curation.test_collecting import answer, wanted

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(project, owner):
    wanted(project, owner, 2)
    return person("ada"), person("ben")


@pytest.fixture
def disputed(two, make_pair):
    """A pair that Ada and Ben see differently, with their responses."""
    pair = make_pair("What?", "As it was.", responses_left=2)
    tag = Tag.objects.create(project=pair.project, name="safety")
    ada = answer(response_begin(pair=pair, by=two[0]), answer="As Ada has it.", tags=(tag.pk,), topic="Pumps", difficulty="hard")
    ben = answer(response_begin(pair=pair, by=two[1]), answer="As Ben has it.")
    return Pair.objects.get(), ada, ben


def test_taking_a_response_puts_its_words_tags_and_topic_into_the_pair(disputed, reviewer):
    pair, ada, _ = disputed
    now = pair_adjudicate(pair=pair, by=reviewer, response=ada)
    assert (now.answer, now.topic, now.difficulty, now.status) == ("As Ada has it.", "Pumps", "hard", PairStatus.APPROVED)
    assert (now.messages[-1]["content"], [tag.name for tag in now.tags.all()], now.decided_by) == ("As Ada has it.", ["safety"], reviewer)
    assert AuditEvent.objects.filter(action="pair.adjudicate").count() == 1


def test_a_reviewer_may_mend_the_response_they_take(disputed, reviewer):
    pair, ada, _ = disputed
    now = pair_adjudicate(pair=pair, by=reviewer, response=ada, words=("What is it?", "As Ada has it, in short.", ""))
    assert (now.question, now.answer, now.topic) == ("What is it?", "As Ada has it, in short.", "Pumps")
    with pytest.raises(PairError, match="not right"):
        pair_adjudicate(pair=now, by=reviewer, response=ada, words=("What?", " ", ""))


def test_of_two_reviewers_the_second_is_told_and_overwrites_nothing(disputed, owner, reviewer):
    pair, ada, ben = disputed
    seen = Pair.objects.get()
    pair_adjudicate(pair=pair, by=owner, response=ada)
    with pytest.raises(PairChanged):
        pair_adjudicate(pair=seen, by=reviewer, response=ben)
    assert Pair.objects.get().answer == "As Ada has it."


def test_a_response_that_was_taken_back_cannot_be_taken(disputed, reviewer):
    _, ada, _ = disputed
    seen = Response.objects.get(pk=ada.pk)
    response_undo(response=ada)
    with pytest.raises(PairError, match="took this response back"):
        pair_adjudicate(pair=Pair.objects.get(), by=reviewer, response=seen)
    assert Pair.objects.get().status == PairStatus.PENDING


def test_turns_between_stay_when_a_response_is_taken(two, make_pair, reviewer):
    turns = [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "What?"}, {"role": "assistant", "content": "This."},
    ]  # fmt: skip
    pair = make_pair("x")
    Pair.objects.update(**derived(turns), responses_left=2)
    mine = response_begin(pair=Pair.objects.get(), by=two[0])
    sent = answer(mine, question="Hello", answer="That.", system="Be brief.")
    now = pair_adjudicate(pair=Pair.objects.get(pk=pair.pk), by=reviewer, response=sent)
    assert now.messages == [*turns[:-1], {"role": "assistant", "content": "That."}]


def test_what_is_complete_comes_to_the_reviewers_agreed_or_disputed(two, project, make_pair):
    alike, apart, half, _ = (make_pair(question, responses_left=2) for question in ("Alike?", "Apart?", "Half?", "Fresh?"))
    for user in two:
        answer(response_begin(pair=alike, by=user))
        answer(response_begin(pair=apart, by=user), answer=f"By {user}.")
    answer(response_begin(pair=half, by=two[0]))
    shown = {which: {pair.question for pair in pairs_in_review(project, which)} for which in ("ready", "agreed", "disputed", "collecting")}
    assert shown == {"ready": {"Alike?", "Apart?"}, "agreed": {"Alike?"}, "disputed": {"Apart?"}, "collecting": {"Half?"}}


def test_what_all_agree_on_is_decided_in_one_go(two, project, make_pair, reviewer):
    good, bad, apart, unsure = (make_pair(question, responses_left=2) for question in ("Good?", "Bad?", "Apart?", "Unsure?"))
    for user in two:
        answer(response_begin(pair=good, by=user), answer="Mended alike.")
        mine = response_begin(pair=bad, by=user)
        response_discard(response=mine, said=Said("", ""), revision=mine.revision)
        answer(response_begin(pair=apart, by=user), answer=f"By {user}.")
        answer(response_begin(pair=unsure, by=user), verdict="unsure")
    assert pairs_approve_agreed(project=project, by=reviewer) == (1, 1)
    status = {pair.question: (pair.status, pair.answer) for pair in Pair.objects.all()}
    assert status["Good?"] == (PairStatus.APPROVED, "Mended alike.")
    assert status["Bad?"][0] == PairStatus.REJECTED
    assert {status["Apart?"][0], status["Unsure?"][0]} == {PairStatus.PENDING}


# --- taking changes back ---


@pytest.mark.parametrize(
    "change",
    [
        lambda pair, by: pair_edit(pair=pair, by=by, question="Other?", answer="Other.", reviewer=True, system="Be brief."),
        lambda pair, by: pair_approve(pair=pair, by=by),
        lambda pair, by: pair_reject(pair=pair, by=by),
        lambda pair, by: pair_request_changes(pair=pair, by=by, note="Shorter."),
    ],
    ids=["edit", "approve", "reject", "changes"],
)
def test_a_change_can_be_taken_back_and_that_too(make_pair, owner, change):
    pair = make_pair("What?", "This.")
    before = (pair.messages, pair.question, pair.answer, pair.status)
    change(pair, owner)
    after = Pair.objects.get()
    now = change_undo(change=PairChange.objects.latest("pk"), by=owner)
    assert (now.messages, now.question, now.answer, now.status) == before
    again = change_undo(change=PairChange.objects.latest("pk"), by=owner)
    assert (again.messages, again.status) == (after.messages, after.status)


def test_taking_back_an_adjudication_puts_back_words_tags_and_topic(disputed, reviewer):
    pair, ada, _ = disputed
    pair_adjudicate(pair=pair, by=reviewer, response=ada)
    now = change_undo(change=PairChange.objects.get(), by=reviewer)
    assert (now.answer, now.topic, now.difficulty, now.status) == ("As it was.", "", "", PairStatus.PENDING)
    assert not PairTag.objects.exists() and now.decided_by is None


def test_what_has_changed_again_cannot_be_taken_back(make_pair, owner):
    pair = pair_edit(pair=make_pair("What?", "One."), by=owner, question="What?", answer="Two.", reviewer=True)
    pair_edit(pair=pair, by=owner, question="What?", answer="Three.", reviewer=True)
    older = PairChange.objects.earliest("pk")
    with pytest.raises(PairError, match="changed again since"):
        change_undo(change=older, by=owner)
    assert Pair.objects.get().answer == "Three."
    assert [line.can_undo for line in history_lines(Pair.objects.get())] == [True, False]


def test_a_change_of_words_is_taken_back_though_the_status_has_changed(make_pair, owner):
    pair = pair_edit(pair=make_pair("What?", "One."), by=owner, question="What?", answer="Two.", reviewer=True)
    pair_approve(pair=pair, by=owner)
    now = change_undo(change=PairChange.objects.earliest("pk"), by=owner)
    assert (now.answer, now.status) == ("One.", PairStatus.APPROVED)


def test_changes_from_before_whole_conversations_were_kept_can_be_taken_back(make_pair, owner):
    pair = make_pair("What?", "New.")
    old = {"question": "What?", "answer": "Old.", "status": "PENDING"}
    change = PairChange.objects.create(pair=pair, by=owner, before=old, after={**old, "answer": "New."})
    assert change_undo(change=change, by=owner).messages[-1]["content"] == "Old."


def test_history_says_word_by_word_what_became_of_the_pair(make_pair, owner):
    pair_edit(pair=make_pair("What?", "Press the red key."), by=owner, question="What?", answer="Press the green key.", reviewer=True)
    line = history_lines(Pair.objects.get())[0]
    assert [part.name for part in line.parts] == ["Answer"]
    assert changed(line.parts[0]) == [("gone", "red"), ("new", "green")]


def changed(part):
    return [(segment.kind, segment.text) for segment in part.segments if segment.kind != "same"]
