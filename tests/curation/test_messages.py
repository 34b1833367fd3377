"""What the words of a conversation are, and putting others in their place."""

import pytest

from curation.messages import Words, entered, messages_of, part_names, parts_of, turns_between, with_words, words_of

LONG = [
    {"role": "system", "content": "You answer for the ward."},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Which soap?"},
    {"role": "assistant", "content": "For whom?"},
    {"role": "user", "content": "Patients."},
    {"role": "assistant", "content": "The blue one."},
]


def test_the_words_are_the_first_question_the_last_answer_and_the_system_prompt() -> None:
    assert words_of(LONG) == Words("Which soap?", "The blue one.", "You answer for the ward.")
    assert words_of(messages_of("Q?", "A.")) == Words("Q?", "A.", "")
    assert words_of([]) == Words("", "", "")


@pytest.mark.parametrize("messages", [LONG, messages_of("Q?", "A.", "S"), messages_of("Q?", "A.")])
def test_putting_the_same_words_back_changes_nothing(messages: list[dict[str, str]]) -> None:
    assert with_words(messages, *words_of(messages)) == messages


def test_other_words_leave_the_turns_around_them() -> None:
    changed = with_words(LONG, "Which gel?", "The red one.", "")
    assert [turn["content"] for turn in changed] == ["Hello.", "Which gel?", "For whom?", "Patients.", "The red one."]
    assert turns_between(changed) == turns_between(LONG) == LONG[3:5]


def test_the_turns_between_are_replaced_where_they_are_given() -> None:
    changed = with_words(LONG, "Which gel?", "The red one.", "", between=[])
    assert [turn["content"] for turn in changed] == ["Hello.", "Which gel?", "The red one."]


def test_one_turn_alone_becomes_question_and_answer() -> None:
    assert with_words([{"role": "user", "content": "Q?"}], "Which?", "This.", "S") == messages_of("Which?", "This.", "S")


MIXED = [
    {"role": "user", "content": "  Which soap?\r\nSay.\n"},
    {"role": "system", "content": "Be brief.\rAlways."},
    {"role": "assistant", "content": "For\r\nwhom?"},
    {"role": "system", "content": ""},
    {"role": "user", "content": "Patients.\n"},
    {"role": "assistant", "content": "The blue one.\r\n"},
]


def as_browsers_send(text: str) -> str:
    return entered(text).replace("\n", "\r\n")


@pytest.mark.parametrize("messages", [MIXED, MIXED[2:], [{"role": "system", "content": " "}, *messages_of("Q?", "A.")]])
def test_what_a_page_sends_back_unchanged_stays_to_the_letter(messages: list[dict[str, str]]) -> None:
    sent = [as_browsers_send(text) for text in words_of(messages)]
    between = [{**turn, "content": as_browsers_send(turn["content"])} for turn in turns_between(messages)]
    assert with_words(messages, *sent) == with_words(messages, *sent, between=between) == messages


def test_system_turns_stay_where_they_stand() -> None:
    changed = with_words(MIXED, "Which gel?", "The red one.", "Be long.")
    assert [turn["content"] for turn in changed] == ["Which gel?", "Be long.", "For\r\nwhom?", "", "Patients.\n", "The red one."]
    assert with_words(MIXED, "Which gel?", "The red one.", "")[1:3] == MIXED[2:4]
    shorter = with_words(MIXED, "Which gel?", "The red one.", "Be brief.\nAlways.", between=[])
    assert [turn["role"] for turn in shorter] == ["user", "system", "system", "assistant"]


def test_of_changed_turns_between_the_others_stay_to_the_letter() -> None:
    between = [{"role": "assistant", "content": "For\nwhom?"}, {"role": "user", "content": "Staff."}]
    changed = with_words(MIXED, *words_of(MIXED), between=between)
    assert [turn["content"] for turn in turns_between(changed)] == ["For\r\nwhom?", "Staff."]


def test_every_part_has_a_name_and_they_are_read_in_order() -> None:
    assert list(parts_of(LONG)) == ["System prompt", "Turn 1 (answer)", "Question", "Turn 3 (answer)", "Turn 4 (question)", "Answer"]
    assert parts_of(MIXED)["System prompt 2"] == "" and list(parts_of(messages_of("Q?", "A."))) == ["Question", "Answer"]
    several = [parts_of(MIXED[2:]), parts_of(messages_of("Q?", "A.", "S")), parts_of(messages_of("Q?", "A."))]
    assert part_names(several) == ["System prompt", "Turn 1 (answer)", "Question", "Answer"]
