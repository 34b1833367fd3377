"""A document as it is read on its page: a page at a time, its text beside the passages cut from it, with the cited span marked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from retrieval.models import Chunk, DocumentVersion

LONGEST = 12_000  # characters on one screen page; longer pages are split, at a paragraph where there is one


@dataclass(frozen=True)
class Window:
    """A part of the text shown at once. ``page`` is the document's own page, None where it has none."""

    number: int
    start: int
    end: int
    page: int | None
    label: str


@dataclass(frozen=True)
class Piece:
    text: str
    marked: bool = False
    first: bool = False  # the first marked piece is where the page scrolls to


@dataclass(frozen=True)
class Row:
    """Text up to where the next passage begins, beside the passage it belongs to (None for text between passages)."""

    pieces: list[Piece]
    chunk: Chunk | None = None
    begins: bool = False  # the passage begins here, not on an earlier page
    cited: bool = False


@dataclass(frozen=True)
class Reading:
    window: Window
    windows: list[Window]
    rows: list[Row] = field(default_factory=list)

    @property
    def previous(self) -> Window | None:
        return self.windows[self.window.number - 2] if self.window.number > 1 else None

    @property
    def following(self) -> Window | None:
        return self.windows[self.window.number] if self.window.number < len(self.windows) else None


def windows_of(version: DocumentVersion, text: str) -> list[Window]:
    """The document's pages, long ones in parts; a document without pages in parts alone."""
    starts = version.page_starts or [0]
    paged = len(starts) > 1
    windows: list[Window] = []
    for page, (start, end) in enumerate(pairwise([*starts, len(text)]), 1):
        parts = _parts(text, start, max(start, end))
        for part, (begin, stop) in enumerate(parts, 1):
            label = f"Page {page}" if paged else "Part"
            if len(parts) > 1:
                label = f"{label}, part {part}" if paged else f"Part {part}"
            windows.append(Window(len(windows) + 1, begin, stop, page if paged else None, label))
    return windows


def _parts(text: str, start: int, end: int) -> list[tuple[int, int]]:
    parts = []
    while end - start > LONGEST:
        cut = text.rfind("\n\n", start + LONGEST // 2, start + LONGEST)
        cut = cut + 2 if cut > 0 else start + LONGEST
        parts.append((start, cut))
        start = cut
    return [*parts, (start, end)]


def window_at(windows: list[Window], offset: int) -> Window:
    return next((window for window in windows if window.start <= offset < window.end), windows[-1])


def rows_of(text: str, window: Window, chunks: Sequence[Chunk], cited: tuple[int, int] | None = None) -> list[Row]:
    """``window`` cut where passages begin and end. Passages that overlap are shown one after the other, no text twice."""
    rows: list[Row] = []
    at = window.start
    seen_mark = False
    for number, chunk in enumerate(chunks):
        start = max(chunk.start, at)
        if start > at and text[at:start].strip():
            rows.append(Row(_pieces(text, at, start, cited, seen_mark)))
            seen_mark = seen_mark or _touches(at, start, cited)
        following = chunks[number + 1].start if number + 1 < len(chunks) else chunk.end
        stop = min(chunk.end, max(following, start), window.end)
        if stop <= start:
            continue
        touched = _touches(start, stop, cited)
        rows.append(Row(_pieces(text, start, stop, cited, seen_mark), chunk, chunk.start >= window.start, touched))
        seen_mark = seen_mark or touched
        at = stop
    if at < window.end and text[at : window.end].strip():
        rows.append(Row(_pieces(text, at, window.end, cited, seen_mark)))
    return rows


def _touches(start: int, end: int, cited: tuple[int, int] | None) -> bool:
    return cited is not None and cited[0] < end and cited[1] > start


def _pieces(text: str, start: int, end: int, cited: tuple[int, int] | None, seen_mark: bool) -> list[Piece]:
    """Text without the blank lines around it, the cited part apart."""
    while end > start and text[end - 1].isspace():
        end -= 1
    while start < end and text[start] in "\r\n":
        start += 1
    if cited is None or not _touches(start, end, cited):
        return [Piece(text[start:end])]
    begin, stop = max(start, cited[0]), min(end, cited[1])
    pieces = [Piece(text[start:begin]), Piece(text[begin:stop], True, not seen_mark), Piece(text[stop:end])]
    return [piece for piece in pieces if piece.text]


_WORD = re.compile(r"\w+")
PLAIN_WORDS = frozenset(
    """a an and are as at be by can do does for from has have how i if in is it its may must of on or the that this to was were
    what when where which who why will with you""".split()
)  # not worth marking


def marked_words(text: str, query: str) -> list[Piece]:
    """``text`` with the words of ``query`` apart, in whatever form they stand."""
    words = {word.lower() for word in _WORD.findall(query.replace("_", " "))} - PLAIN_WORDS
    stems = sorted({word[:-2] if len(word) > 6 else word for word in words if len(word) > 1}, key=len, reverse=True)
    if not stems:
        return [Piece(text)]
    pattern = re.compile(r"(?<![^\W_])(?:" + "|".join(map(re.escape, stems)) + r")[^\W_]*", re.IGNORECASE)
    pieces, at = [], 0
    for match in pattern.finditer(text):
        pieces += [Piece(text[at : match.start()]), Piece(match.group(), True)]
        at = match.end()
    return [piece for piece in [*pieces, Piece(text[at:])] if piece.text]
