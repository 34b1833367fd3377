"""What the words of a conversation are, and putting others in their place."""

import pytest

from curation.messages import Words, messages_of, turns_between, with_words, words_of

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
