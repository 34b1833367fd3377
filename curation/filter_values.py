"""What can be asked in a filter, and the values it is asked with: checked, and as they are kept."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

Value = str | int | bool | None
Kind = Literal["choice", "text", "number", "date", "flag", "pair"]
LONGEST, MOST_DAYS = 500, 36_500  # characters of a value; a hundred years


class ValueWrong(ValueError):
    """The value is none this field can have; the message says what it may be."""


@dataclass(frozen=True)
class Op:
    label: str
    takes_value: bool = True


OPS = {
    "is": Op("is"),
    "is_not": Op("is not"),
    "contains": Op("contains"),
    "lacks": Op("does not contain"),
    "at_least": Op("is at least"),
    "at_most": Op("is at most"),
    "since": Op("is on or after"),
    "until": Op("is on or before"),
    "days": Op("is within the last days"),
    "empty": Op("is not set", takes_value=False),
    "set": Op("is set", takes_value=False),
}
KIND_OPS: dict[Kind, tuple[str, ...]] = {
    "choice": ("is", "is_not"),
    "text": ("contains", "lacks"),
    "number": ("at_least", "at_most", "is"),
    "date": ("since", "until", "days"),
    "flag": ("is",),
    "pair": ("is",),
}


def value_read(kind: Kind, op: str, value: Any, options: Collection[str] = ()) -> Value:
    """``value`` as a field of this ``kind`` has it, one of ``options`` where there are any. Raises ``ValueWrong``."""
    if op == "days":
        return _days(value)
    found = READERS[kind](value)
    if options and found not in options:
        raise ValueWrong(f"there is no “{str(found)[:40]}”; there are {', '.join(options)}.")
    return found


def _text(value: Any) -> str:
    text = str(value if value is not None else "").replace("\0", "").strip()
    if not text or len(text) > LONGEST:
        raise ValueWrong(f"a text of 1 to {LONGEST} characters is needed.")
    return text


def _number(value: Any) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise ValueWrong("a whole number is needed.") from None
    if not 0 <= number < 2**31:
        raise ValueWrong("a whole number from 0 is needed.")
    return number


def _date(value: Any) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ValueWrong("a date such as 2026-03-31 is needed.") from None


def _days(value: Any) -> int:
    days = _number(value)
    if days > MOST_DAYS:
        raise ValueWrong(f"at most {MOST_DAYS:,} days are needed.")
    return days


def _flag(value: Any) -> bool:
    if value in (True, "true", "yes", "1"):
        return True
    if value in (False, "false", "no", "0"):
        return False
    raise ValueWrong("yes or no is needed.")


def _pair(value: Any) -> str:
    try:
        return str(UUID(_text(value)))
    except ValueError:
        raise ValueWrong("the id of a pair is needed.") from None


READERS: dict[Kind, Callable[[Any], Value]] = {
    "choice": _text,
    "text": _text,
    "number": _number,
    "date": _date,
    "flag": _flag,
    "pair": _pair,
}
