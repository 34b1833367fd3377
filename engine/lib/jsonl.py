"""Files of artifacts that hold a JSON object a line."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from engine.exits import InputError


def read_lines(path: Path, *, code: str, mend: str) -> Iterator[dict[str, Any]]:
    """The objects of a file, one after the other; empty lines are passed over.

    Raises ``InputError`` with ``code`` and ``mend`` for a file that cannot be opened, and for a line that is no object, with its number.
    """
    try:
        with open(path, "rb") as file:  # bytes: what is no UTF-8 is found in its own line
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                found = _parsed(line)
                if isinstance(found, str):
                    where = f"{path.name}, line {number}"
                    raise InputError(code, f"A line of {path.name} cannot be read: {found}.", where=where, mend=mend)
                yield found
    except OSError as error:
        raise InputError(code, f"{path.name} cannot be read: {error}", where=path.name, mend=mend) from error


def _parsed(line: bytes) -> dict[str, Any] | str:
    """The line's object, or what is wrong with it."""
    try:
        found = json.loads(str(line, "utf-8"))
    except json.JSONDecodeError as error:
        return said(error)
    except (ValueError, RecursionError) as error:
        return str(error)
    return found if isinstance(found, dict) else "it is JSON, but no object with names"


def said(error: json.JSONDecodeError) -> str:
    """What is wrong with a line, and where in it."""
    return f"{error.msg.removesuffix(' at')} at character {error.pos + 1}"


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """``rows`` as such a file, which is written anew."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
