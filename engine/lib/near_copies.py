"""Whether a text says the same as another in almost the same words."""

from collections import defaultdict
from itertools import pairwise

from engine.lib.overlap import words

NEAR = 0.75  # likeness from which two count as the same: an article more or less
LOOKED_UP = 6  # of a text's rarest words; texts that share none of them are no near-copies, or very nearly never
SHORT = 4  # words under which a text is compared by itself alone


def likeness(one: str, other: str) -> float:
    """The share of words and of neighbouring words that the two have in common, 0 to 1."""
    return _jaccard(_marks(one), _marks(other))


class NearCopies:
    """Texts that were seen, and the question whether a further one is nearly one of them."""

    def __init__(self, near: float = NEAR) -> None:
        self.near = near
        self._exact: set[str] = set()
        self._seen: list[frozenset[str]] = []
        self._where: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, text: str) -> None:
        """Remember ``text``."""
        marks = _marks(text)
        self._exact.add(_plain(text))
        for mark in marks:
            self._where[mark].append(len(self._seen))
        self._seen.append(marks)

    def holds_exactly(self, text: str) -> bool:
        """Whether these very words were added before; case and punctuation aside."""
        return _plain(text) in self._exact

    def holds(self, text: str) -> bool:
        """Whether a near-copy of ``text`` was added before."""
        marks = _marks(text)
        rarest = sorted((mark for mark in marks if mark in self._where), key=lambda mark: len(self._where[mark]))[:LOOKED_UP]
        candidates = {place for mark in rarest for place in self._where[mark]}
        return any(_jaccard(marks, self._seen[place]) >= self.near for place in candidates)


def _plain(text: str) -> str:
    return " ".join(words(text))


def _marks(text: str) -> frozenset[str]:
    said = words(text)
    if len(said) < SHORT:
        return frozenset([" ".join(said)])
    return frozenset([*said, *(f"{first} {second}" for first, second in pairwise(said))])


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0
