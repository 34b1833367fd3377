"""Sentences of a text, by offsets."""

import re
from dataclasses import dataclass

# after these a full stop ends no sentence
ABBREVIATIONS = frozenset(
    """e.g i.e etc vs cf resp approx incl no nos art sec fig figs eq ch p pp dr mr mrs ms prof st al inc ltd co corp jr sr u.s vol ed
    eds""".split()
)
_END = re.compile(r"""[.!?…](?:[)\]”’"'*_`]|\s?\[\d{1,3}\])*(?=\s|$)""")
_FOOTNOTE = re.compile(r"\s*\[\d{1,3}\]\s*$")
_OPENING = re.compile(r"[A-Z`“\"‘'*_(\[\d]")
_SPACE = re.compile(r"\s*")
LONGEST = 10_000  # characters; a paragraph whose bracket never closes is cut into sentences again after that


@dataclass(frozen=True)
class Sentence:
    """``text[start:end]`` with its white space joined, without a footnote's mark after its end."""

    text: str
    start: int
    end: int


def sentences_of(text: str, start: int, end: int) -> list[Sentence]:
    """The sentences of ``text[start:end]``, a paragraph."""
    found: list[Sentence] = []
    at = start
    for mark in _END.finditer(text, start, end):
        if mark.start() < at or not _ends_here(text, at, mark, end):
            continue
        _add(found, text, at, mark.end())
        at = mark.end()
    _add(found, text, at, end)
    return found


def _ends_here(text: str, at: int, mark: re.Match[str], end: int) -> bool:
    following = _SPACE.match(text, mark.end(), end).end()  # type: ignore[union-attr]  # it matches nothing as well
    if following < end and not _OPENING.match(text, following, end):
        return False
    if mark.start() - at > LONGEST:
        return True
    before = text[at : mark.start()]
    if before.count("`") % 2 or before.count("(") > before.count(")") + text[mark.start() : mark.end()].count(")"):
        return False
    word = re.split(r"[\s(“]", before)[-1]
    if word.lower().strip(".") in ABBREVIATIONS or re.fullmatch(r"[A-Z]", word):
        return following == end
    return not re.fullmatch(r"\d{1,3}", before.strip())  # "1." is a mark, no sentence


def _add(found: list[Sentence], text: str, start: int, end: int) -> None:
    raw = text[start:end]
    footnote = _FOOTNOTE.search(raw)
    if footnote:
        end = start + footnote.start()
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        found.append(Sentence(" ".join(text[start:end].split()), start, end))
