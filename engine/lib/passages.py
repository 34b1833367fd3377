"""The documents and passages of a ``chunks`` artifact, as the stages that make pairs of them need them."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.lib.jsonl import read_lines

# reading tells languages by ISO 639-3, pairs carry ISO 639-1
SHORT_CODES = {
    "eng": "en", "deu": "de", "fra": "fr", "spa": "es", "ita": "it", "nld": "nl", "pol": "pl", "por": "pt", "swe": "sv", "dan": "da",
    "ces": "cs", "rus": "ru", "ukr": "uk", "tur": "tr", "jpn": "ja", "zho": "zh", "cmn": "zh", "fin": "fi", "nob": "no", "ell": "el",
    "hun": "hu", "ron": "ro", "bul": "bg", "kor": "ko", "ara": "ar", "heb": "he", "hin": "hi",
}  # fmt: skip
SHORTEST = 200  # characters; less holds no question of its own


@dataclass(frozen=True)
class Passage:
    """``text`` stands in its document at ``start``, counted in characters."""

    text: str
    document: str
    version: str
    start: int
    page: int | None
    title: str
    headings: tuple[str, ...]
    language: str

    @property
    def name(self) -> str:
        """How it is told to a model: "Hand hygiene, Gloves"."""
        return ", ".join(dict.fromkeys(part for part in (self.title, *self.headings) if part)) or "a document"

    def source(self, start: int, end: int) -> dict[str, Any]:
        """The span of the passage from ``start`` to ``end`` as a pair's source."""
        place = {"document": self.document, "version": self.version, "page": self.page}
        return {**place, "start": self.start + start, "end": self.start + end, "evidence": self.text[start:end]}


def documents_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of those documents of a ``chunks`` artifact that could be read. Raises ``InputError``."""
    return [row for row in _lines(folder / "documents.jsonl") if row["status"] == "ok"]


def chunks_of(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of its chunks. Raises ``InputError``."""
    return _lines(folder / "chunks.jsonl")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    return read_lines(path, code="chunks", mend="Read the documents again.")


def passages_of(folder: Path, *, seed: int) -> list[Passage]:
    """The passages that are long enough, in an order drawn by ``seed`` that takes one of each document in turn."""
    documents = {row["version"]: row for row in documents_of(folder)}
    by_version: defaultdict[str, list[Passage]] = defaultdict(list)
    for row in chunks_of(folder):
        document = documents.get(row["version"])
        if document and len(row["text"]) >= SHORTEST:
            by_version[row["version"]].append(_passage(row, document))
    return in_turn(by_version, seed=seed)


def in_turn(groups: dict[str, list[Any]], *, seed: int) -> list[Any]:
    """One of each group after the other until all are used up; the order within and of groups is drawn by ``seed``."""
    rng = random.Random(seed)
    piles = [rng.sample(pile, len(pile)) for _, pile in sorted(groups.items())]
    rng.shuffle(piles)
    longest = max(map(len, piles), default=0)
    return [pile[turn] for turn in range(longest) for pile in piles if turn < len(pile)]


def _passage(row: dict[str, Any], document: dict[str, Any]) -> Passage:
    return Passage(
        text=row["text"],
        document=row["document"],
        version=row["version"],
        start=row["start"],
        page=row.get("page"),
        title=document.get("title") or "",
        headings=tuple(row.get("headings") or ()),
        language=SHORT_CODES.get(str(document.get("language") or ""), ""),
    )
