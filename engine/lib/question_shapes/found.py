"""What a shape of question is given, and what it gives."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Spot:
    """A sentence and where it stands.

    ``called`` is the function or clause that its section is about, where its heading names one; ``opening`` marks the first sentence
    of the section; ``names`` are words that the document writes with a capital inside sentences.
    """

    sentence: str
    called: str
    opening: bool
    names: frozenset[str]


@dataclass(frozen=True)
class Found:
    """``{topic}`` in ``question`` is where the context goes, if it goes anywhere. ``needs_topic``: it makes no sense without."""

    question: str
    score: float
    needs_topic: bool = True


Shape = Callable[[Spot], Iterator[Found]]
