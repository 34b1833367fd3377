"""The result of a database query: each row a section that says what its columns hold."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from engine.exits import InputError
from engine.lib.pair_files import open_table
from engine.lib.source_texts.text import SourceError, SourceText, markdown, one_line

ROWS = 500  # in one document


def table_rows(path: Path) -> Iterator[SourceText]:
    """Documents of at most ``ROWS`` sections; a section is called as its first column says. Raises ``SourceError``."""
    try:
        lines = (line for line in open_table(path).lines if line.record is not None)
        first = 1
        while rows := list(islice(lines, ROWS)):
            sections = "\n\n".join(_section(row.record or {}, first + place) for place, row in enumerate(rows))
            last = first + len(rows) - 1
            yield markdown(path.stem, sections, name=path.stem if first == 1 and len(rows) < ROWS else f"{path.stem} {first}–{last}")
            first = last + 1
    except InputError as error:
        raise SourceError(error.message, error.mend) from error
    if first == 1:
        raise SourceError("This table holds no rows.", "Run the query again and save its result with the names of its columns.")


def _section(record: dict[str, Any], number: int) -> str:
    cells = {name: _words(value) for name, value in record.items() if value not in (None, "")}
    title = next((text for text in cells.values() if len(text) <= 120), f"Row {number}")
    return f"## {one_line(title)}\n\n" + "\n".join(f"- {one_line(name)}: {text}" for name, text in cells.items())


def _words(value: Any) -> str:
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
