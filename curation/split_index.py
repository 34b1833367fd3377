"""What has to be known of pairs to split them: what holds each together with others, and its topic. Little of each, for many pairs."""

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from curation.models import Pair
from curation.sources import normalised
from curation.splitting import FRACTIONS, SEED, SPLITS, Item, groups_of, split_groups, strata_of

TELLING = 40  # characters; a shorter answer ("Yes.") is no sign of the same thing told twice
FORMULA = 10  # pairs; an answer that more than these share ("That is not in the documents.") is none either
BATCH = 2_000  # pairs in memory at once


def planned_split(pairs: QuerySet[Pair], *, seed: int = SEED, fractions: Sequence[float] = FRACTIONS) -> dict[str, str] | None:
    """Pair id → the split that cutting ``pairs`` would put it into; None where they come from too few documents to split."""
    index = SplitIndex()
    fields = ("sources", "parent_id", "question_hash", "answer", "topic")
    for pair in pairs.only(*fields).order_by("question_hash", "pk").iterator(BATCH):
        index.add(pair)
    return index.split(seed=seed, fractions=fractions) if len(index.groups) >= len(SPLITS) else None


@dataclass
class SplitIndex:
    """One entry a pair, in the order they were added. It alone tells pairs apart for the splitter, so who adds them in an order of what
    they say, not of their random ids, gets the same split for the same pairs whenever and wherever they were taken in.
    """

    keys: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    documents: list[tuple[str, ...]] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    questions: "array[int]" = field(default_factory=lambda: array("Q"))  # digests
    answers: "array[int]" = field(default_factory=lambda: array("Q"))
    _known: dict[str, str] = field(default_factory=dict)  # the same text once, however many pairs share it

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, pair: Pair) -> None:
        self.keys.append(str(pair.pk))
        self.topics.append(self._known.setdefault(pair.topic, pair.topic))
        self.documents.append(tuple(self._known.setdefault(str(source["document"]), str(source["document"])) for source in pair.sources))
        self.parents.append(str(pair.parent_id or ""))
        self.questions.append(digest(pair.question_hash))
        self.answers.append(digest(normalised(pair.answer)) if len(pair.answer) >= TELLING else 0)

    def items(self) -> Iterator[Item]:
        """Pairs, by their places, with what holds them together: documents, the pair they were made from, the same question, the same
        telling answer.
        """
        asked, told = Counter(self.questions), Counter(self.answers)
        place_of = {key: place for place, key in enumerate(self.keys)}
        for place in range(len(self)):
            ties: list[Any] = list(self.documents[place])
            if parent := self.parents[place]:
                ties.append(_named(place_of[parent]) if parent in place_of else parent)
            if asked[self.questions[place]] > 1:
                ties.append(("question", self.questions[place]))
            if self.answers[place] and 1 < told[self.answers[place]] <= FORMULA:
                ties.append(("answer", self.answers[place]))
            yield Item(_named(place), tuple(ties))

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """Group → places of pairs that may not be parted. Asked for once all pairs are in."""
        return groups_of(self.items())

    def split(self, *, seed: int, fractions: Sequence[float]) -> dict[str, str]:
        """Pair → split."""
        strata = strata_of(self.groups, lambda name: self.topics[int(name)])
        split_by_group = split_groups(strata, seed=seed, fractions=fractions)
        return {self.keys[int(name)]: split_by_group[group] for group, names in self.groups.items() for name in names}

    def twins(self) -> int:
        """How many pairs ask what another one asks, or answer in its words, and so stay on its side."""
        asked, told = Counter(self.questions), Counter(self.answers)
        both = zip(self.questions, self.answers, strict=True)
        return sum(1 for question, answer in both if asked[question] > 1 or (answer and 1 < told[answer] <= FORMULA))

    def by_topic(self, split_of: Mapping[str, str]) -> dict[str, Counter[str]]:
        """Topic → split → pairs."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for key, topic in zip(self.keys, self.topics, strict=True):
            counts[topic][split_of[key]] += 1
        return dict(counts)

    def documents_of(self, split_of: Mapping[str, str]) -> dict[str, list[str]]:
        """Split → its documents, sorted."""
        found: dict[str, set[str]] = {split: set() for split in SPLITS}
        for key, documents in zip(self.keys, self.documents, strict=True):
            found[split_of[key]].update(documents)
        return {split: sorted(ids) for split, ids in found.items()}


def _named(place: int) -> str:
    """A place as the splitter's key: in the order of places, whatever there is."""
    return f"{place:09d}"


def digest(text: str) -> int:
    """64 bits of ``text``; never 0."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) or 1
