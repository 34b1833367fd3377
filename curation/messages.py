"""The words of a pair's messages: the question, the answer, the system prompt, and what is said between."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from curation.models import Message

SYSTEM, QUESTION, ANSWER = "System prompt", "Question", "Answer"  # parts of a conversation, as pages name them


class Words(NamedTuple):
    """What a form shows of messages: the first user turn, the last answer, the system prompt."""

    question: str
    answer: str
    system: str


def entered(text: str) -> str:
    """What somebody typed into a page, as it is kept: browsers send every line end as CR LF, and the space around a text says nothing."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def as_it_stood(text: str, stood: str) -> str:
    """``stood`` where ``text`` is the same as typed into a page; else ``text``. A file may end its lines as it likes, and keeps them."""
    return stood if entered(text) == entered(stood) else text


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

    What is the same as typed into a page stays to the letter. System turns stay where they stand; a new one comes first.
    """
    turns, first = _turns(messages)
    if len(turns) < 2:
        turns, first = messages_of(question, answer), 0
    middle = turns[first + 1 : -1]
    if between is not None:
        stood = {(turn["role"], entered(turn["content"])): turn for turn in middle}
        middle = [stood.get((turn["role"], entered(turn["content"])), turn) for turn in between]
    asked, last = _saying(turns[first], question), _saying(turns[-1], answer)
    return _with_system([*turns[:first], asked, *middle, last], messages, system)


def turns_between(messages: Sequence[Message]) -> list[Message]:
    """What is said between the first question and the last answer."""
    turns, first = _turns(messages)
    return turns[first + 1 : -1]


def parts_of(messages: Sequence[Message]) -> dict[str, str]:
    """Every text of ``messages`` by what it is, in order: "System prompt", "Question", "Turn 2 (answer)", "Turn 3 (question)", "Answer"."""
    turns, first = _turns(messages)
    parts: dict[str, str] = {}
    spoken = prompts = 0
    for message in messages:
        if message["role"] == "system":
            prompts += 1
            name = SYSTEM if prompts == 1 else f"{SYSTEM} {prompts}"
        else:
            spoken += 1
            name = f"Turn {spoken} ({'question' if message['role'] == 'user' else 'answer'})"
            name = {first + 1: QUESTION, len(turns): ANSWER}.get(spoken, name)
        parts[name] = message["content"]
    return parts


def part_names(conversations: Sequence[Mapping[str, str]]) -> list[str]:
    """The names of all parts of some ``conversations`` (see ``parts_of``), once each, in the order they are read."""
    found = dict.fromkeys(name for parts in sorted(conversations, key=len, reverse=True) for name in parts)
    return sorted(found, key=lambda name: (name == ANSWER, not name.startswith(SYSTEM)))


def _turns(messages: Sequence[Message]) -> tuple[list[Message], int]:
    """What user and assistant say, and where the first question stands in it: at the beginning where nobody asks."""
    turns = [message for message in messages if message["role"] != "system"]
    return turns, next((place for place, turn in enumerate(turns) if turn["role"] == "user"), 0)


def _saying(turn: Message, text: str) -> Message:
    return {**turn, "content": as_it_stood(text, turn["content"])}


def _with_system(turns: Sequence[Message], messages: Sequence[Message], system: str) -> list[Message]:
    """``turns`` with the system turns of ``messages`` after as many turns as there, the first of which says ``system``, if anything."""
    there = [(place, message) for place, message in enumerate(messages) if message["role"] == "system"]
    prompts = [(place - before, message) for before, (place, message) in enumerate(there)]
    if entered(system) != entered(words_of(messages).system):
        first = [(prompts[0][0] if prompts else 0, {"role": "system", "content": system})]
        prompts = [*(first if system else []), *prompts[1:]]
    found = list(turns)
    for place, prompt in reversed(prompts):
        found.insert(min(place, len(turns) - 1), prompt)  # the answer stays the last
    return found
