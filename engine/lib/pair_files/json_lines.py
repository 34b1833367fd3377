"""A JSON object a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.lib.jsonl import said
from engine.lib.pair_files.line import Line, Table, shown
from engine.lib.pair_files.text import TextFile, open_text


def constant(name: str) -> str | None:
    """What Python writes for numbers that are none: a missing value, or its name."""
    return None if name == "NaN" else name


def read(path: Path, encoding: str = "") -> Table:
    text = open_text(path, encoding)
    return Table(_records(text), text.total, text.position, encoding=text.encoding)


def _records(text: TextFile) -> Iterator[Line]:
    for number, line, error in text.lines:
        if error:
            yield Line(number, error=error, text=shown(line))
        elif line.strip().strip("\x00"):
            yield parsed(number, line)


def parsed(number: int, line: str) -> Line:
    """One line as a record, or what is wrong with it."""
    try:
        value: Any = json.loads(line, parse_constant=constant)
    except json.JSONDecodeError as error:
        return Line(number, error=f"no JSON: {said(error)}", text=shown(line))
    except (ValueError, RecursionError) as error:
        return Line(number, error=f"no JSON that can be read: {type(error).__name__}", text=shown(line))
    if not isinstance(value, dict):
        return Line(number, error="this is JSON, but no record with names", text=shown(line))
    return Line(number, value)
