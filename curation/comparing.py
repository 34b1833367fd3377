"""What became of the pairs between two dataset versions, read from their files. Pure: no database."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple

from curation.splitting import SPLITS
from curation.wording import Segment, word_diff

Kind = Literal["added", "removed", "changed", "moved"]
KINDS: dict[Kind, str] = {"added": "Added", "removed": "Removed", "changed": "Changed", "moved": "Moved to another split"}
LABELS = {"topic": "Topic", "language": "Language", "difficulty": "Difficulty", "tags": "Tags", "shape": "Shape"}
OTHERS = {"sources": "its sources", "extra": "columns of its import", "rehearsal": "being rehearsed", "fork": "where its answers part"}


class Place(NamedTuple):
    """Where a row stands: its split, and its offset in bytes in that split's file."""

    split: str
    offset: int


class Difference(NamedTuple):
    """One pair that is not the same in both. A changed pair may have moved as well."""

    kind: Kind
    pair: str
    before: Place | None
    after: Place | None

    @property
    def moved(self) -> str:
        """ "train → test" for a pair that is in both but not in the same split."""
        if self.before and self.after and self.before.split != self.after.split:
            return f"{self.before.split} → {self.after.split}"
        return ""


@dataclass(frozen=True)
class Comparison:
    """``same`` counts the pairs that are alike and in the same split."""

    differences: tuple[Difference, ...]
    same: int

    def of_kind(self, kind: str) -> list[Difference]:
        """Those of a kind, in the order of the files; pairs that were changed and moved are of both. All for an unknown one."""
        if kind not in KINDS:
            return list(self.differences)
        return [one for one in self.differences if one.kind == kind or (kind == "moved" and one.moved)]

    @cached_property
    def counts(self) -> dict[str, int]:
        counts = Counter[str](one.kind for one in self.differences)
        return {kind: sum(1 for one in self.differences if one.moved) if kind == "moved" else counts[kind] for kind in KINDS}


@lru_cache(maxsize=2)  # versions never change, and the pages of one comparison follow one another
def compare(before: Path, after: Path) -> Comparison:
    """What has to be done to the files in ``before`` to make those in ``after``. In memory: an index of one of them."""
    index = {pair: (digest, place) for pair, digest, place in _index(before)}
    found: list[Difference] = []
    same = 0
    for pair, digest, place in _index(after):
        old = index.pop(pair, None)
        if old is None:
            found.append(Difference("added", pair, None, place))
        elif old[0] != digest:
            found.append(Difference("changed", pair, old[1], place))
        elif old[1].split != place.split:
            found.append(Difference("moved", pair, old[1], place))
        else:
            same += 1
    found += [Difference("removed", pair, place, None) for pair, (_, place) in index.items()]
    order = list(KINDS)
    return Comparison(tuple(sorted(found, key=lambda one: order.index(one.kind))), same)


def _index(folder: Path) -> Any:
    """(pair, digest of its row, place) of every row."""
    for split in SPLITS:
        offset = 0
        with open(folder / f"{split}.jsonl", "rb") as lines:
            for line in lines:
                yield json.loads(line)["id"], hashlib.blake2b(line, digest_size=12).digest(), Place(split, offset)
                offset += len(line)


def row_at(folder: Path, place: Place) -> dict[str, Any]:
    with open(folder / f"{place.split}.jsonl", "rb") as file:
        file.seek(place.offset)
        found: dict[str, Any] = json.loads(file.readline())
    return found


@dataclass(frozen=True)
class Turn:
    """A turn of a conversation with the words that went and came."""

    role: str
    segments: list[Segment]


@dataclass(frozen=True)
class Shown:
    """A difference as a page shows it. ``labels`` are (name, before, after), ``others`` what else differs, in words."""

    difference: Difference
    question: str
    split: str
    turns: list[Turn]
    worse: list[Turn]
    labels: list[tuple[str, str, str]]
    others: list[str]


def shown(difference: Difference, before: Path, after: Path) -> Shown:
    """Read the rows of one difference and mark what differs in them."""
    old = row_at(before, difference.before) if difference.before else None
    new = row_at(after, difference.after) if difference.after else None
    there: dict[str, Any] = new or old or {}
    both = (old or {}, new or {}) if difference.kind == "changed" else (there, there)
    place = difference.after or difference.before
    return Shown(
        difference,
        question=next((turn["content"] for turn in there["messages"] if turn["role"] == "user"), ""),
        split=place.split if place else "",
        turns=_turns(both[0]["messages"], both[1]["messages"]),
        worse=_turns(both[0].get("rejected", []), both[1].get("rejected", [])),
        labels=[(name, _said(a), _said(b)) for key, name in LABELS.items() if (a := both[0].get(key)) != (b := both[1].get(key))],
        others=[name for key, name in OTHERS.items() if both[0].get(key) != both[1].get(key)],
    )


def _turns(old: list[dict[str, str]], new: list[dict[str, str]]) -> list[Turn]:
    turns = []
    for a, b in zip_longest(old, new, fillvalue={"role": "", "content": ""}):
        role = a["role"] if a["role"] == b["role"] else " → ".join(one for one in (a["role"], b["role"]) if one)
        turns.append(Turn(role, word_diff(a["content"], b["content"])))
    return turns


def _said(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "none")
