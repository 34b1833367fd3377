"""Reading what models say, and holding it against the passage: JSON in any wrapping, quotes in any spelling, copies in other clothes."""

import pytest

from engine.lib.grounding import Ungrounded, answers_nothing, grounded, locate, refused
from engine.lib.json_answers import objects
from engine.lib.near_copies import NearCopies, likeness

PASSAGE = "The ward’s rules:\nBroken gloves are reported — within 24 hours —\nto the “safety officer”. Gloves are washed at 60 degrees."


@pytest.mark.parametrize(
    "said",
    [
        '[{"question": "a"}, {"question": "b"}]',
        'Sure! Here you go:\n```json\n[{"question": "a"}, {"question": "b"},]\n```\nAnything else?',
        '{"pairs": [{"question": "a"}, {"question": "b"}]}',
        '<think>maybe {"question": "x"}?</think>{"question": "a"} {"question": "b"}',
        '[{"question": "a"}, {"question": "b"}, {"question": "c", "answer": "cut of',
        '{"question": "a"}\n{"question": "b"}',
    ],
)
def test_every_whole_object_is_found_in_any_wrapping(said: str) -> None:
    assert objects(said) == [{"question": "a"}, {"question": "b"}]


@pytest.mark.parametrize("said", ["", "no", "[1, 2]", '{"question": ', "{" * 5000, '{"a": ' * 3000])
def test_nonsense_gives_nothing(said: str) -> None:
    assert objects(said) == []


def test_line_breaks_inside_strings_are_read() -> None:
    assert objects('{"answer": "one\ntwo"}') == [{"answer": "one\ntwo"}]


REPORTED = "gloves are reported — within 24 hours —\nto the “safety officer”. Gloves"


@pytest.mark.parametrize(
    ("quote", "stands"),
    [
        ("gloves are reported — within 24 hours —\nto the “safety officer”. Gloves", REPORTED),
        ('Gloves are reported - within 24   hours - to the "safety officer". gloves', REPORTED),
        ("“Gloves are washed at 60 degrees.”", "Gloves are washed at 60 degrees."),
        ("gloves are reported – within 24 hours.", "gloves are reported — within 24 hours"),
        ("Gloves are boiled at 60 degrees.", None),
        ("Gloves", None),
        ("", None),
    ],
)
def test_a_quote_is_found_however_it_is_spelt(quote: str, stands: str | None) -> None:
    place = locate(quote, PASSAGE)
    assert (PASSAGE[place[0] : place[1]] if place else None) == stands


def test_a_letter_that_has_no_single_small_form_does_not_shift_the_place() -> None:
    text = "İstanbul’un ẞ rules: gloves are washed at 60 degrees here."
    place = locate("gloves are washed at 60 degrees", text)
    assert place and text[place[0] : place[1]] == "gloves are washed at 60 degrees"


def test_what_stands_is_measured() -> None:
    candidate = {"question": "How hot are gloves washed?", "answer": "They are washed at 60 degrees."}
    found = grounded({**candidate, "quote": "Gloves are washed at 60 degrees"}, PASSAGE, kind="factual", least_support=0.6)
    assert found.support >= 0.6 and 0.5 < found.overlap < 1 and PASSAGE[found.start : found.end] == "Gloves are washed at 60 degrees"


def test_an_unanswerable_question_has_to_be_about_the_passage() -> None:
    asked = {"question": "Who washes the gloves of the ward?", "answer": "The documents do not say who washes them."}
    assert grounded(asked, PASSAGE, kind="unanswerable", least_support=0.6).end == len(PASSAGE)
    with pytest.raises(Ungrounded, match="off the subject"):
        grounded({**asked, "question": "Which planet is largest?"}, PASSAGE, kind="unanswerable", least_support=0.6)


def test_refusals_and_not_stated_are_known() -> None:
    assert refused("I'm sorry, but I cannot do that.") and not refused('I cannot say more than {"question": "a"}')
    assert answers_nothing("NOT STATED.") and not answers_nothing("In the cupboard.")


def test_near_copies_are_found_and_other_questions_are_not() -> None:
    seen = NearCopies()
    seen.add("To whom are broken gloves reported within 24 hours?")
    assert seen.holds("to whom are the broken gloves reported within 24 hours")
    assert seen.holds_exactly("To whom are broken gloves reported – within 24 hours?")
    assert not seen.holds("To whom are broken needles reported by the nurse?") and not seen.holds("Gloves?")
    assert likeness("one two three four five", "one two three four five") == 1.0
