"""The passages of the documents, and those among them that no pair draws on."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import manifest
from engine.lib.passages import SHORTEST, chunks_of

if TYPE_CHECKING:
    from engine.lib.quality.material import Row

Spans = tuple[list[int], list[int]]  # where each begins and ends, sorted, none touching another


@dataclass(frozen=True, slots=True)
class Passage:
    """The characters from ``start`` to ``end`` of a document's ``version``.

    ``number`` is its line, and the row of its vector, in the `chunks` artifact; ``ordinal`` its place in the version.
    """

    number: int
    document: str
    version: str
    ordinal: int
    start: int
    end: int


def passages_in(folder: Path) -> list[Passage]:
    """Those of a `chunks` artifact that are long enough to hold a question of their own. Raises ``InputError``."""
    return [
        Passage(number, row["document"], row["version"], row["ordinal"], row["start"], row["end"])
        for number, row in enumerate(chunks_of(folder))
        if len(row["text"]) >= SHORTEST
    ]


def vectors_in(folder: Path, embedder: str) -> Any:
    """A unit-length row a chunk, as ``embedder`` made them; None where another model did, or none."""
    import numpy as np

    kept = folder / "vectors.npy"
    if not kept.is_file() or not embedder or manifest.read(folder).facts.get("embedder") != embedder:
        return None
    return np.load(kept, mmap_mode="r")


def bare_among(passages: Iterable[Passage], rows: Iterable["Row"]) -> list[Passage]:
    """The ``passages`` that no source of a row touches."""
    places: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        for version, start, end in row.spans:
            places[version].append((start, end))
    drawn_on = {version: _joined(some) for version, some in places.items()}
    return [passage for passage in passages if not _touches(drawn_on.get(passage.version), passage)]


def _joined(places: Sequence[tuple[int, int]]) -> Spans:
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted(places):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


def _touches(spans: Spans | None, passage: Passage) -> bool:
    if spans is None:
        return False
    starts, ends = spans
    at = bisect_right(ends, passage.start)
    return at < len(starts) and starts[at] < passage.end
