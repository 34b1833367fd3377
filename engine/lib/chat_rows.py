"""Rows of a `dataset` artifact, and the same rows as tokens with the answer tokens marked."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.exits import InputError

Message = dict[str, str]
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Row:
    """One line of a split. ``line`` counts from 1. ``rehearsal``: general data among the domain's, which is there against forgetting."""

    id: str
    messages: list[Message]
    split: str
    line: int
    rehearsal: bool = False

    @property
    def where(self) -> str:
        return f"{self.split}.jsonl, row {self.line}"


@dataclass(frozen=True)
class Encoded:
    """A row as tokens. ``answer[i]`` says that token i is one the assistant has to say and so carries loss."""

    row: Row
    ids: list[int]
    answer: list[bool]

    @property
    def answer_tokens(self) -> int:
        return sum(self.answer)


@dataclass
class Rejects:
    """Rows left out or cut, by kind."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, row: Row) -> None:
        self.rows[kind].append(row)

    def counts(self) -> Counter[str]:
        return Counter({kind: len(rows) for kind, rows in self.rows.items()})


# kind → what is said of it ({n} rows), and what to do about it
REASONS = {
    "empty_answer": ("{n} have an empty answer and are left out.", "Write the answers or remove these pairs."),
    "no_answer": ("{n} have no assistant turn and are left out.", "Give each conversation an answer."),
    "no_room": (
        "In {n} the question alone fills the longest text allowed; they are left out.",
        "Shorten the questions or allow longer texts.",
    ),
    "answer_cut": (
        "In {n} the answer is longer than the longest text allowed; its end is cut off.",
        "Shorten the answers or allow longer texts.",
    ),
}


def read_split(dataset: Path, split: str) -> list[Row]:
    """The rows of ``split``; empty when the file is missing. Raises ``InputError`` naming the first row that cannot be read."""
    path = dataset / f"{split}.jsonl"
    if not path.is_file():
        return []
    rows = []
    with open(path, encoding="utf-8") as file:
        for line, text in enumerate(file, start=1):
            if text.strip():
                rows.append(_parse(text, split, line))
    return rows


def _parse(text: str, split: str, line: int) -> Row:
    where, mend = f"{split}.jsonl, row {line}", "Export the dataset again, or correct this row."
    try:
        record = json.loads(text)
        messages = [{"role": m["role"], "content": m["content"]} for m in record["messages"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("row_unreadable", "This row is no conversation in JSON.", where=where, mend=mend) from error
    for message in messages:
        if message["role"] not in ROLES or not isinstance(message["content"], str):
            raise InputError("row_role", f"A turn has the role {message['role']!r} or is no text.", where=where, mend=mend)
    return Row(str(record.get("id", f"{split}-{line}")), messages, split, line, record.get("rehearsal") is True)


def encode(
    rows: Sequence[Row], tokenizer: Any, max_length: int, *, on_row: Callable[[int], None] | None = None
) -> tuple[list[Encoded], Rejects]:
    """Render each row with the chat template and mark the assistant's tokens.

    Out: the usable rows, at most ``max_length`` tokens each, and those left out or cut. Raises ``InputError`` when the
    template changes earlier turns as later ones are added, for then the answer's tokens cannot be told from the question's.
    """
    found: list[Encoded] = []
    rejects = Rejects()
    for number, row in enumerate(rows):
        if on_row is not None:
            on_row(number)
        answers = [m["content"] for m in row.messages if m["role"] == "assistant"]
        if not answers:
            rejects.add("no_answer", row)
        elif not all(answer.strip() for answer in answers):
            rejects.add("empty_answer", row)
        else:
            encoded = encode_row(row, tokenizer)
            if not any(encoded.answer[:max_length]):
                rejects.add("no_room", row)
                continue
            if any(encoded.answer[max_length:]):
                rejects.add("answer_cut", row)
            found.append(Encoded(row, encoded.ids[:max_length], encoded.answer[:max_length]))
    return found, rejects


def encode_row(row: Row, tokenizer: Any) -> Encoded:
    """One row as tokens: the assistant's turns, up to and with the end marker, are marked. Raises ``InputError``."""
    ids: list[int] = []
    answer: list[bool] = []
    for place, message in enumerate(row.messages):
        if message["role"] != "assistant":
            continue
        # what stands before this answer, with the heading that makes the model speak, then the same with the answer
        before = _tokens(tokenizer, row.messages[:place], row, speak=True)
        after = _tokens(tokenizer, row.messages[: place + 1], row, speak=False)
        if before[: len(ids)] != ids or after[: len(before)] != before:
            raise InputError(
                "template_prefix",
                "The model's chat template changes earlier turns when later ones are added, so the answer's tokens cannot be found.",
                where=row.where,
                mend="Choose another base model, or split conversations into pairs of one question and one answer.",
            )
        answer += [False] * (len(before) - len(ids))
        said = after[len(before) :]
        # templates often write a line break after the end marker: the model never has to say that
        end = max((i for i, token in enumerate(said) if token == tokenizer.eos_token_id), default=len(said) - 1)
        answer += [i <= end for i in range(len(said))]
        ids = after
    return Encoded(row, ids, answer)


def _tokens(tokenizer: Any, messages: list[Message], row: Row, *, speak: bool) -> list[int]:
    try:
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=speak, return_dict=False)
    except Exception as error:  # jinja2 errors: templates raise their own for orders of roles that they do not allow
        raise InputError(
            "template_refuses",
            f"The model's chat template refuses this conversation: {error}",
            where=row.where,
            mend="Correct the order of the turns, or choose another base model.",
        ) from error
    return list(ids)


def warn_rejects(
    warn: Callable[..., None], rejects: Rejects, total: int, max_length: int, reasons: dict[str, tuple[str, str]] = REASONS
) -> None:
    """One warning a kind, with count and the first row numbers, in the words of ``reasons``."""
    for kind, rows in rejects.rows.items():
        what, mend = reasons[kind]
        few = ", ".join(str(row.line) for row in rows[:5]) + (", …" if len(rows) > 5 else "")
        message = what.format(n=f"{len(rows)} of {total} rows")
        if kind in ("no_room", "answer_cut"):
            message = message.replace("the longest text allowed", f"the longest text allowed ({max_length} tokens)")
        warn(kind, message, where=f"{rows[0].split}.jsonl, row {few}", mend=mend)
