"""CSV and its relatives, with any delimiter. An open quote costs its own line, not the rest of the file."""

import csv
from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from engine.exits import InputError
from engine.lib.pair_files.line import Line, Record, Table, shown
from engine.lib.pair_files.text import TextFile, open_text
from engine.lib.pair_formats.cells import unguarded

CELL_LIMIT = 512 * 1024  # characters
DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 40  # records that are looked at to find the delimiter
csv.field_size_limit(CELL_LIMIT)


def read(path: Path, encoding: str = "", delimiter: str = "", header: bool = True) -> Table:
    """Without a ``delimiter`` it is found out; without a ``header`` columns are called "column 1" and so on. Raises ``InputError``."""
    text = open_text(path, encoding)
    if not delimiter:
        delimiter = delimiter_of(path, text.encoding)
    elif len(delimiter) != 1 or delimiter in "\r\n\"'":
        mend = "Choose one of those offered."
        raise InputError("delimiter", f"{delimiter!r} cannot stand between columns.", where="delimiter", mend=mend)
    return Table(_records(text, delimiter, header), text.total, text.position, encoding=text.encoding, delimiter=delimiter)


def delimiter_of(path: Path, encoding: str) -> str:
    """The one that cuts the first records into the same number of cells most often, more cells before fewer."""

    def quality(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(cells) for _, cells, error, _ in islice(_Cells(open_text(path, encoding), delimiter), SAMPLE) if not error)
        width, times = widths.most_common(1)[0] if widths else (1, 0)
        return (times / widths.total(), width) if width > 1 else (0.0, 1)

    return max(DELIMITERS, key=quality)


def _records(text: TextFile, delimiter: str, header: bool) -> Iterator[Line]:
    names: list[str] = []
    for number, cells, error, raw in _Cells(text, delimiter):
        if error:
            yield Line(number, error=error, text=shown(raw))
        elif not any(cells):
            continue
        elif not names and header:
            names = column_names(cells)
        elif names and len(cells) > len(names) and any(cells[len(names) :]):
            words = f"{len(cells)} cells where the table has {len(names)} columns; a text with the delimiter in it needs quotes"
            yield Line(number, error=words, text=shown(raw))
        else:
            names = names or [f"column {place}" for place, _ in enumerate(cells, start=1)]
            yield Line(number, _record(names, cells))


def _record(names: list[str], cells: list[str]) -> Record:
    record: Record = dict.fromkeys(names)
    for name, cell in zip(names, cells, strict=False):
        record[name] = unguarded(cell) if cell else None
    return record


def column_names(cells: list[str]) -> list[str]:
    """Each column's own name: those without one are numbered, those that are there twice as well."""
    names: list[str] = []
    for place, cell in enumerate(cells, start=1):
        name = unguarded(cell).strip() or f"column {place}"
        names.append(name if name not in names else f"{name} {place}")
    return names


class _Cells:
    """Records as (line number, cells, error, raw text). After a mistake reading begins anew in the line after the one it began in."""

    def __init__(self, text: TextFile, delimiter: str) -> None:
        self.lines = text.lines
        self.delimiter = delimiter
        self.again: deque[tuple[int, str, str]] = deque()
        self.taken: list[tuple[int, str, str]] = []

    def _next(self) -> tuple[int, str, str] | None:
        return self.again.popleft() if self.again else next(self.lines, None)

    def _feed(self) -> Iterator[str]:
        while (line := self._next()) is not None:
            self.taken.append(line)
            if line[2]:
                raise _BadLine
            yield line[1]

    def __iter__(self) -> Iterator[tuple[int, list[str], str, str]]:
        reader = csv.reader(self._feed(), delimiter=self.delimiter, strict=True)
        while True:
            self.taken = []
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _BadLine) as error:
                number, raw, bad = self._begin_after(isinstance(error, _BadLine))
                yield number, [], bad or _words(error), raw
                reader = csv.reader(self._feed(), delimiter=self.delimiter, strict=True)
                continue
            yield self.taken[0][0], cells, "", "".join(text for _, text, _ in self.taken) if len(self.taken) < 50 else self.taken[0][1]

    def _begin_after(self, bad_line: bool) -> tuple[int, str, str]:
        """Drop the line with the mistake; give back those after it to be read again. Answers the dropped line."""
        if bad_line and self.taken[-1] is not self.taken[0]:
            # the record reached into a line that is no text: both are lost, for where the record ends nobody knows
            first, last = self.taken[0], self.taken[-1]
            self.again.extendleft(reversed(self.taken[1:-1]))
            return first[0], first[1], f"{last[2]} (in line {last[0]})"
        self.again.extendleft(reversed(self.taken[1:]))
        return self.taken[0]


class _BadLine(Exception):
    """A line that is no text in the file's encoding."""


def _words(error: Exception) -> str:
    text = str(error)
    if "unexpected end" in text or "field larger" in text:
        return "a quote is opened and not closed"
    if "expected after" in text:
        return "a text in quotes goes on after its closing quote; quotes inside a text are doubled"
    return f"no row of a table: {text}"
