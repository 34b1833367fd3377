"""How two texts differ, word by word."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby, takewhile
from typing import Literal

Kind = Literal["same", "gone", "new"]
LIMIT = 20_000  # words and marks; beyond it the middle is shown as replaced rather than keeping a page waiting
AROUND = 300  # characters on each side of a change that are enough to know where one is
_TOKENS = re.compile(r"\w+|[^\w\s]|\s+")


@dataclass(frozen=True)
class Segment:
    """A stretch of text that stands in both (``same``), in the first alone (``gone``) or in the second alone (``new``).

    ``text`` is plain text: a template escapes it as any other, see `templates/curation/_words.html`.
    """

    kind: Kind
    text: str


@dataclass(frozen=True)
class Part:
    """One text of a pair by its name, as "Question", with the words that differ."""

    name: str
    segments: list[Segment]


def word_diff(a: str, b: str) -> list[Segment]:
    """What becomes of ``a`` on its way to ``b``, in reading order; empty for two empty texts.

    The texts of ``same`` and ``gone`` make ``a`` again, those of ``same`` and ``new`` make ``b``. White space between two changed words
    counts as changed with them, so that a replaced phrase reads as one.
    """
    old, new = _TOKENS.findall(a), _TOKENS.findall(b)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    middle = _changes(old[head : len(old) - tail], new[head : len(new) - tail])
    return _joined([("same", "".join(old[:head])), *middle, ("same", "".join(old[len(old) - tail :]))])


def excerpt(segments: Sequence[Segment]) -> list[Segment]:
    """``segments`` with what long stays the same cut down to ``AROUND`` characters beside a change, and "…" for what is left out."""
    last = len(segments) - 1
    cut = []
    for place, segment in enumerate(segments):
        head = AROUND if place else 0
        tail = AROUND if place < last else 0
        text = segment.text
        if segment.kind == "same" and len(text) > head + tail + AROUND:
            text = f"{text[:head]} … {text[len(text) - tail :]}"
        cut.append(Segment(segment.kind, text))
    return cut


def _common(old: list[str], new: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(old, new, strict=False)))


def _changes(old: list[str], new: list[str]) -> list[tuple[Kind, str]]:
    if len(old) + len(new) > LIMIT:
        return [("gone", "".join(old)), ("new", "".join(new))]
    found: list[tuple[Kind, str]] = []
    for operation, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
        words, replaced = "".join(old[i:j]), "".join(new[k:m])
        if operation == "equal" and words.strip():
            found.append(("same", words))
        else:  # what is replaced, and the space between two replaced words
            found += [("gone", words), ("new", replaced)]
    return found


def _joined(parts: list[tuple[Kind, str]]) -> list[Segment]:
    """Without what is empty, neighbours of a kind as one, what went before what came."""
    segments: list[Segment] = []
    for changed, run in groupby(parts, key=lambda part: part[0] != "same"):
        texts: dict[Kind, str] = {"gone": "", "new": ""} if changed else {"same": ""}
        for kind, text in run:
            texts[kind] += text
        segments += [Segment(kind, text) for kind, text in texts.items() if text]
    return segments
