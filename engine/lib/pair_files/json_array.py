"""A JSON file that is one long list of records, read piece by piece; a broken record does not spoil those after it."""

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from engine.exits import InputError
from engine.lib.pair_files import json_lines
from engine.lib.pair_files.line import RECORD_LIMIT, Line, Table, shown
from engine.lib.pair_files.text import HALF, TextFile, open_text

ENOUGH = 256 * 1024  # characters that are in hand before a record is looked for: most are shorter
WHOLE = 20 * 2**20  # bytes of a file that is read at once, because its list stands inside an object
BETWEEN = re.compile(r"[\s,]*")
DECODER = json.JSONDecoder(parse_constant=json_lines.constant)


def read(path: Path, encoding: str = "") -> Table:
    """A list of records, an object that holds one list of them, or lines of JSON under another name. Raises ``InputError``."""
    text = open_text(path, encoding)
    start = _start(text)
    if start == "[":
        text = open_text(path, encoding)
        return Table(_Array(text).lines(), text.total, text.position, encoding=text.encoding)
    text = open_text(path, encoding)
    if start == "{" and text.total <= WHOLE:
        lines = _whole(path, text)
        if lines is not None:
            return Table(iter(lines), text.total, lambda: text.total, encoding=text.encoding)
    return json_lines.read(path, encoding)


def _start(text: TextFile) -> str:
    for _, line, _ in text.lines:
        if found := line.strip():
            return found[0]
    return ""


def _whole(path: Path, text: TextFile) -> list[Line] | None:
    """The records of an object that is the whole file; None where the file is more than one object, or broken."""
    try:
        value = DECODER.decode("".join(line for _, line, _ in text.lines))
    except (ValueError, RecursionError):
        return None
    lists = [item for item in value.values() if isinstance(item, list) and item and all(isinstance(one, dict) for one in item)]
    if "messages" in value or "conversations" in value or not lists:
        return [Line(1, value)]
    if len(lists) > 1:
        names = ", ".join(name for name, item in value.items() if item in lists)
        raise InputError("several", f"It holds several lists: {names}.", where=path.name, mend="Save each list as a file of its own.")
    return [Line(number, record) for number, record in enumerate(lists[0], start=1)]


class _Array:
    """``buffer[at:]`` is what has been read and not yet understood; it begins in line ``line`` of the file."""

    def __init__(self, text: TextFile) -> None:
        self.source = (line for _, line, _ in text.lines)
        self.buffer, self.at, self.line = "", 0, 1
        self.ended = False
        self.first_name = ""

    def lines(self) -> Iterator[Line]:
        self._fill(ENOUGH)
        self._go(self.buffer.index("[") + 1)
        while True:
            self._fill(ENOUGH)
            between = BETWEEN.match(self.buffer, self.at)
            self._go(between.end() if between else self.at)
            if self.at >= len(self.buffer):
                if not self.ended:
                    continue
                yield Line(self.line, error="the file ends in the middle of its list: “]” is missing")
                return
            if self.buffer[self.at] == "]":
                return
            yield self._record()

    def _record(self) -> Line:
        """What begins here. After a mistake the place is where the next record begins."""
        number = self.line
        while True:
            try:
                value, end = DECODER.raw_decode(self.buffer, self.at)
                break
            except RecursionError:
                return self._skip(Line(number, error="no JSON that can be read: nested too deeply"))
            except ValueError as error:
                in_hand = len(self.buffer) - self.at
                if not self.ended and in_hand < RECORD_LIMIT:
                    self._fill(in_hand * 2)
                    continue
                said, place = getattr(error, "msg", "a number too long"), getattr(error, "pos", self.at)
                return self._skip(Line(number, error=f"no JSON: {said} at character {place - self.at + 1} of the record"))
        text = self.buffer[self.at : end]
        self._go(end)
        if not isinstance(value, dict):
            return Line(number, error="this is JSON, but no record with names", text=shown(text))
        if HALF.search(text):
            return Line(number, error="it holds bytes that are no text in this encoding", text=shown(text))
        self.first_name = self.first_name or next(iter(value), "")
        return Line(number, value)

    def _skip(self, line: Line) -> Line:
        """Go on where a record begins like the first one did."""
        line.text = shown(self.buffer[self.at : self.at + 1000])
        name = re.escape(json.dumps(self.first_name, ensure_ascii=False)) if self.first_name else '"'
        following = re.compile(r"\}\s*,\s*(?=\{\s*" + name + ")")
        while True:
            found = following.search(self.buffer, self.at + 1)
            if found:
                self._go(found.end())
                return line
            if self.ended:
                last = self.buffer.rstrip()
                self._go(len(last) - 1 if last.endswith("]") and len(last) - 1 > self.at else len(self.buffer))
                return line
            self._go(max(self.at, len(self.buffer) - 1000))
            self._fill(ENOUGH)

    def _go(self, place: int) -> None:
        self.line += self.buffer.count("\n", self.at, place)
        self.at = place

    def _fill(self, characters: int) -> None:
        """Have at least so many characters in hand, unless the file ends before."""
        in_hand = len(self.buffer) - self.at
        if self.ended or in_hand >= characters:
            return
        parts = [self.buffer[self.at :]]
        while in_hand < characters:
            part: Any = next(self.source, None)
            if part is None:
                self.ended = True
                break
            parts.append(part)
            in_hand += len(part)
        self.buffer, self.at = "".join(chain(parts)), 0
