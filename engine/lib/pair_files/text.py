"""Lines of text files in any encoding, however long and however broken."""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from engine.exits import InputError
from engine.lib.pair_files.line import RECORD_LIMIT

HEAD = 64 * 1024
BLOCK = 2**20
FEW = 0.001  # share of bytes that may be no UTF-8 in a file that is UTF-8 all the same
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# bytes that could not be decoded, and what stands for them in encodings of two bytes
HALF = re.compile("[\udc80-\udcff\ufffd]")
TOO_LONG = f"this line is longer than {RECORD_LIMIT // 2**20} million characters"


@dataclass
class TextFile:
    """``lines`` are (number from 1, text with its line end, error); ``position()`` is in bytes."""

    lines: Iterator[tuple[int, str, str]]
    encoding: str
    total: int
    position: Callable[[], int]


def open_text(path: Path, encoding: str = "") -> TextFile:
    """Without an ``encoding`` it is found out. Raises ``InputError`` for an encoding nobody knows."""
    found = encoding_of(path)
    if encoding:
        try:
            encoding = codecs.lookup(encoding).name
        except LookupError:
            words = f"There is no encoding “{encoding}”."
            raise InputError("encoding", words, where="encoding", mend="Choose one of those offered.") from None
        # the mark at the start belongs to neither the first line nor the name of the first column
        found = found if found.startswith(encoding) else encoding
    # what is no text in this encoding stays visible, so that its line alone is refused
    errors = "replace" if found.startswith("utf-16") else "surrogateescape"
    binary = open(path, "rb")  # noqa: SIM115 (_lines closes it)
    file = TextIOWrapper(binary, encoding=found, errors=errors, newline="")
    total = path.stat().st_size
    return TextFile(_lines(file), found, total, lambda: total if binary.closed else binary.tell())


def _lines(file: TextIOWrapper) -> Iterator[tuple[int, str, str]]:
    number = 0
    with file:
        while line := file.readline(RECORD_LIMIT):
            number += 1
            if len(line) == RECORD_LIMIT and not line.endswith(("\n", "\r")):
                while (rest := file.readline(RECORD_LIMIT)) and not rest.endswith(("\n", "\r")):
                    pass
                yield number, line[:1000], TOO_LONG
                continue
            bad = HALF.search(line)
            yield number, line, (f"character {bad.start() + 1} is no text in {file.encoding}" if bad and bad[0] != "\ufffd" else "")


def encoding_of(path: Path) -> str:
    """UTF-8 or UTF-16 where the bytes are that, Windows-1252 (which holds Latin-1) otherwise."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
        for mark, name in MARKS:
            if head.startswith(mark):
                return name
        even, odd = head[::2].count(0), head[1::2].count(0)
        if max(even, odd) > len(head) // 5:
            return "utf-16-le" if odd > even else "utf-16-be"
        file.seek(0)
        return "utf-8" if _is_utf8(file) else "cp1252"


def _is_utf8(file: IO[bytes]) -> bool:
    """Whether the whole file decodes, but for a few bytes among characters of more than one byte."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    wrong = many = size = 0
    while block := file.read(BLOCK):
        text = decoder.decode(block)
        size += len(block)
        if not text.isascii():
            bad = len(re.findall("[\udc80-\udcff]", text))
            wrong += bad
            many += sum(1 for character in text if character > "\x7f") - bad
    return wrong == 0 or (wrong < many and wrong <= max(1, size * FEW))
