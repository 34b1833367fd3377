"""What a file of pairs is read into: numbered lines, each a record or what is wrong with it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from engine.exits import InputError

Record = dict[str, Any]
SHOWN = 300  # characters of a bad line that its report shows
RECORD_LIMIT = 4 * 2**20  # characters of one record; more is no training example


@dataclass
class Line:
    """``number`` counts from 1: of the line in a text file, of the row in a table. Either ``record`` or ``error`` is there."""

    number: int
    record: Record | None = None
    error: str = ""
    column: str = ""
    text: str = ""


@dataclass
class Table:
    """A file being read. ``position()`` of ``total`` (bytes or rows, as ``unit`` says) have been read; ``lines`` may be read once."""

    lines: Iterator[Line]
    total: int
    position: Callable[[], int]
    unit: str = "bytes"
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    sheets: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def shown(text: str) -> str:
    """The start of a bad line as it may be stored and shown: half characters and NUL made visible."""
    text = text if len(text) <= SHOWN else text[:SHOWN] + "…"
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00").strip("\r\n")


def unreadable(name: str, what: str, error: Exception) -> InputError:
    return InputError(
        "unreadable",
        f"This file cannot be read as {what}: {shown(str(error))}",
        where=name,
        mend="Open it in its own program and save a new copy, or export it again.",
    )


def plain(value: Any) -> Any:
    """``value`` of a typed table as JSON can hold it; what is not there, and what is no number, becomes None. Raises ``ValueError``."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | timedelta):
        return str(value)
    raise ValueError(f"it holds {type(value).__name__}, which is no text")
