"""A question names what it asks about, or is not asked."""

import pytest

from engine.lib.question_shapes import Spot
from engine.lib.question_shapes.actions import manner, role
from engine.lib.vagueness import TOO_VAGUE, vagueness

TOPIC = frozenset({"resolution", "names"})


@pytest.mark.parametrize(
    "question",
    [
        "what does the transformation insert?",
        "what does the list include?",
        "what happens if the definition occurs in a function block?",
        "what are the parameters?",
    ],
)
def test_a_thing_of_which_nothing_was_said_before_is_too_vague(question: str) -> None:
    assert vagueness(question, TOPIC, named=False) >= TOO_VAGUE


@pytest.mark.parametrize(
    "question",
    [
        "what does the `type()` function return?",
        "what does the name refer to?",  # the lead-in speaks of names
        "what happens if the iterator is exhausted?",
        "what does a scope define?",
        "what happens if the outer loop ends?",
    ],
)
def test_a_thing_that_is_named_is_not(question: str) -> None:
    assert vagueness(question, TOPIC, named=False) == 0.0


def test_the_arguments_of_a_function_that_is_named_are_known() -> None:
    assert vagueness("what happens if the argument is missing?", TOPIC, named=True) == 0.0
    assert vagueness("what happens if the argument is missing?", TOPIC, named=False) == TOO_VAGUE


def asked(shape: object, sentence: str) -> list[str]:
    return [found.question for found in shape(Spot(sentence, "", True, frozenset()))]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Lists are formed by placing expressions in square brackets.", "{topic}how are lists formed?"),
        ("Lists are consumed by the rest of the machinery.", None),  # by whom, not how
        ("The new copy is wrapped in a read-only proxy of the class.", None),  # which copy?
        ("Names are resolved in the namespace of the caller.", None),  # some names
        ("Instance attributes are set in a method of the class.", "{topic}where are instance attributes set?"),
        ("Deliveries are stopped once the store is full of goods.", "{topic}when are deliveries stopped?"),
    ],
)
def test_how_when_and_where_are_asked_of_what_answers_it(sentence: str, question: str | None) -> None:
    assert asked(manner, sentence) == ([question] if question else [])


def test_what_something_accepts_is_not_answered_by_one_of_two() -> None:
    assert asked(role, "The method accepts a dictionary object and a list of keys.")
    assert not asked(role, "The method accepts either a dictionary object or a list of keys.")
