"""The words of a pair's messages: the question, the answer, the system prompt, and what is said between."""

from collections.abc import Sequence
from typing import NamedTuple

from curation.models import Message


class Words(NamedTuple):
    """What a form shows of messages: the first user turn, the last answer, the system prompt."""

    question: str
    answer: str
    system: str


def messages_of(question: str, answer: str, system: str = "") -> list[Message]:
    """The messages a pair is trained on."""
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return [{"role": "system", "content": system}, *turns] if system else turns


def words_of(messages: Sequence[Message]) -> Words:
    """The words of ``messages``, empty where there are none. Undoes ``with_words``."""
    turns, first = _turns(messages)
    system = next((message["content"] for message in messages if message["role"] == "system"), "")
    return Words(turns[first]["content"], turns[-1]["content"], system) if turns else Words("", "", system)


def with_words(
    messages: Sequence[Message], question: str, answer: str, system: str, between: Sequence[Message] | None = None
) -> list[Message]:
    """``messages`` with their first user turn, their last answer and their system prompt replaced; the turns ``between`` those two, too,
    where they are given.
    """
    turns, first = _turns(messages)
    if len(turns) < 2:
        turns, first = messages_of(question, answer), 0
    middle = turns[first + 1 : -1] if between is None else list(between)
    turns = [*turns[:first], {**turns[first], "content": question}, *middle, {**turns[-1], "content": answer}]
    return [{"role": "system", "content": system}, *turns] if system else turns


def turns_between(messages: Sequence[Message]) -> list[Message]:
    """What is said between the first question and the last answer."""
    turns, first = _turns(messages)
    return turns[first + 1 : -1]


def _turns(messages: Sequence[Message]) -> tuple[list[Message], int]:
    """What user and assistant say, and where the first question stands in it: at the beginning where nobody asks."""
    turns = [message for message in messages if message["role"] != "system"]
    return turns, next((place for place, turn in enumerate(turns) if turn["role"] == "user"), 0)
