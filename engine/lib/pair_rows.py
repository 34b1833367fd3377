"""One line of ``pairs.jsonl``: a training example as stages and the studio pass it to each other. Light: no library beyond Python's own."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

PAIRS_FILE = "pairs.jsonl"  # of a ``pairs`` artifact
Message = dict[str, str]
ROLES = ("system", "user", "assistant")
DIFFICULTIES = ("easy", "medium", "hard")
TURN_LIMIT = 500_000  # characters of one turn that somebody gives: about 125,000 tokens, more than small models read at once


class RowError(ValueError):
    """A record is no training example; the message says what is wrong with it."""


@dataclass
class PairRow:
    """``messages`` end with the answer. ``rejected`` are the worse turns in place of ``messages[fork:]``, for preference training.

    ``sources`` are spans: `{"document", "version", "page", "start", "end", "evidence"}`. ``parent`` is the id of the pair it was made
    from, ``extra`` what a format holds beyond all this, ``line`` its place in the file it came from, counted from 1.
    """

    messages: list[Message]
    rejected: list[Message] = field(default_factory=list)
    fork: int | None = None
    shape: str = "free"
    topic: str = ""
    language: str = ""
    difficulty: str = ""
    tags: list[str] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    parent: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    line: int | None = None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """A line of ``pairs.jsonl``, in the form above or in `extract_pairs`' own: question, answer and one source. Raises ``RowError``."""
        if "messages" not in data:
            return cls._of_extract(data)
        names = {one.name for one in fields(cls)}
        row = cls(**{name: value for name, value in data.items() if name in names and value is not None})
        row.check()
        return row

    @classmethod
    def _of_extract(cls, data: dict[str, Any]) -> Self:
        source = {name: data.get(name) for name in ("document", "version", "page", "start", "end", "evidence")}
        turns = [{"role": "user", "content": data["question"].strip()}, {"role": "assistant", "content": data["answer"].strip()}]
        row = cls(messages=turns, shape=data["shape"], sources=[source])
        row.check()
        return row

    def to_dict(self) -> dict[str, Any]:
        """Without what is empty."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in found.items() if value not in (None, "", [], {})}

    @property
    def question(self) -> str:
        """The first thing the user says."""
        return next((message["content"] for message in self.messages if message["role"] == "user"), "")

    @property
    def answer(self) -> str:
        """The last thing the assistant says."""
        return self.messages[-1]["content"]

    def check_lengths(self) -> None:
        """Raise ``RowError`` for a turn of more than ``TURN_LIMIT`` characters."""
        for word, turns in (("turn", self.messages), ("rejected turn", self.rejected)):
            for number, message in enumerate(turns, start=1):
                if (length := len(message["content"])) > TURN_LIMIT:
                    raise RowError(f"{word} {number} has {length:,} characters; at most {TURN_LIMIT:,} can be kept")

    def check(self) -> None:
        """Raise ``RowError`` unless this is a conversation that ends with an answer."""
        for message in [*self.messages, *self.rejected]:
            if not isinstance(message, dict) or message.get("role") not in ROLES or not isinstance(message.get("content"), str):
                raise RowError(f"a turn needs a role ({', '.join(ROLES)}) and a text")
        if not any(message["role"] == "user" for message in self.messages):
            raise RowError("there is no question")
        if self.messages[-1]["role"] != "assistant":
            raise RowError("the last turn is no answer")
        if not self.answer.strip():
            raise RowError("the answer is empty")
        if not self.question.strip():
            raise RowError("the question is empty")
        if self.difficulty and self.difficulty not in DIFFICULTIES:
            raise RowError(f"the difficulty is none of {', '.join(DIFFICULTIES)}")
        if bool(self.rejected) != (self.fork is not None) or (self.fork is not None and not 0 < self.fork < len(self.messages)):
            raise RowError("the rejected turns need a place between the question and the answer where they part")
