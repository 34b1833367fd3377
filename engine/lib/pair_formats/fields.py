"""What the formats share: reading turns, and the fields that stand beside them in a record."""

import json
import re
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from engine.lib.pair_rows import DIFFICULTIES, ROLES, Message, PairRow, RowError

Record = dict[str, Any]
OWN = "studio_"  # columns of an export that only tell people something: they are not read back
ALIASES = {
    "human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant", "bing": "assistant",
    "bard": "assistant", "developer": "system",
}  # fmt: skip
REJECTED, FORK, EXTRA = "rejected_messages", "fork", "extra"


class FieldError(RowError):
    """A ``RowError`` that knows in which column of the record the trouble is."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


def decoded(value: Any) -> Any:
    """A list or object that stands as JSON in a cell of a table; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def text_of(record: Record, column: str) -> str:
    """The text in ``column``, "" where there is none; a number becomes its digits. Raises ``FieldError`` for lists and objects."""
    value = record.get(column)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise FieldError(column, f"“{column}” holds a {'list' if isinstance(value, list) else 'record'} where a text belongs")


def turns_of(record: Record, column: str) -> list[Message]:
    """The turns in ``column``, whether they say role and content or from and value. Raises ``FieldError``."""
    value = decoded(record.get(column))
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or not value:
        raise FieldError(column, f"“{column}” is no list of turns")
    return [_turn(item, number, column) for number, item in enumerate(value, start=1)]


def _turn(item: Any, number: int, column: str) -> Message:
    if not isinstance(item, dict):
        raise FieldError(column, f"turn {number} of “{column}” is no record with a role and a text")
    role = item.get("role", item.get("from"))
    content = item.get("content", item.get("value"))
    if isinstance(content, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
        content = "".join(part["text"] for part in content)
    known = ALIASES.get(role.lower(), role.lower()) if isinstance(role, str) else None
    if known not in ROLES:
        raise FieldError(column, f"turn {number} of “{column}” has the role {role!r}; known are {', '.join(ROLES)}")
    if not isinstance(content, str):
        raise FieldError(column, f"turn {number} of “{column}” has no text")
    return {"role": known, "content": content}


def reply_of(record: Record, column: str) -> list[Message]:
    """An answer in ``column``: a text, or turns. Raises ``FieldError``."""
    value = decoded(record.get(column))
    return turns_of(record, column) if isinstance(value, list | dict) else [{"role": "assistant", "content": text_of(record, column)}]


def is_text(value: Any, limit: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= limit and value == value.strip()


def _tags(value: Any) -> list[str] | None:
    value = decoded(value)
    if isinstance(value, str):
        value = [part for part in (part.strip() for part in re.split("[;,]", value)) if part]
    return value if isinstance(value, list) and value and all(is_text(tag, 40) for tag in value) else None


def _sources(value: Any) -> list[Record] | None:
    value = decoded(value)
    needed = {"document", "version", "start", "end", "evidence"}
    sound = isinstance(value, list) and value and all(isinstance(one, dict) and needed <= one.keys() for one in value)
    return value if sound else None


def _parent(value: Any) -> str | None:
    try:
        return str(UUID(value))
    except (ValueError, AttributeError, TypeError):
        return None


def _difficulty(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) and value.lower() in DIFFICULTIES else None


# Field → what a value in a record means there; None: nothing, so that it is kept among ``extra``
READ: dict[str, Callable[[Any], Any]] = {
    "shape": lambda value: value if is_text(value, 40) else None,
    "topic": lambda value: value if is_text(value, 120) else None,
    "language": lambda value: value if isinstance(value, str) and re.fullmatch("[a-z]{2}(-[A-Za-z]{2,4})?", value) else None,
    "difficulty": _difficulty,
    "tags": _tags,
    "sources": _sources,
    "parent": _parent,
}


def row_of(record: Record, messages: list[Message], used: Collection[str], rejected: list[Message] | None = None) -> PairRow:
    """A row of ``messages`` with what stands beside them. ``used`` are the columns already read; ``rejected`` replaces the last turn.

    A value that a field cannot hold, and a column nobody knows, stay in ``extra``. Raises ``RowError``.
    """
    row = PairRow(messages=messages)
    rest: Record = {}
    for name, value in record.items():
        if value is None or name in used or name.startswith(OWN) or name in (REJECTED, FORK, EXTRA):
            continue
        read = READ.get(name)
        found = read(value) if read else None
        if found is None:
            rest[name] = value
        else:
            setattr(row, name, found)
    extra = decoded(record.get(EXTRA))
    if isinstance(extra, dict):
        rest |= extra
    elif extra is not None:
        rest[EXTRA] = extra
    row.extra = rest
    if rejected:
        row.rejected, row.fork = rejected, len(messages) - 1
    elif record.get(REJECTED) is not None and REJECTED not in used:
        row.rejected, row.fork = turns_of(record, REJECTED), _place(record.get(FORK), messages)
    row.check()
    row.check_lengths()
    return row


def _place(value: Any, messages: list[Message]) -> int:
    try:
        return int(value) if value is not None else len(messages) - 1
    except (TypeError, ValueError):
        raise FieldError(FORK, f"“{FORK}” is no number of a turn") from None


def beside(row: PairRow, reserved: Collection[str], *, preference: bool = True) -> Record:
    """What ``row_of`` reads back as the fields and the ``extra`` of ``row``. ``reserved`` are the names the format itself needs."""
    record: Record = {}
    nested: Record = {}
    for name, value in row.extra.items():
        read = READ.get(name)
        taken = name in reserved or name.startswith(OWN) or name in (REJECTED, FORK, EXTRA) or value is None
        if taken or (read and (getattr(row, name) or read(value) is not None)):
            nested[name] = value
        else:
            record[name] = value
    for name in READ:
        value = getattr(row, name)
        if value and not (name == "shape" and value == "free"):
            record[name] = value
    if nested:
        record[EXTRA] = nested
    if preference and row.rejected:
        record |= {REJECTED: row.rejected, FORK: row.fork}
    return record
