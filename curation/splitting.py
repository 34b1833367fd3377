"""Splitting pairs by document, so that nothing of a test document is ever trained on, with every topic on every side.

Pure: no database, the same answer each time.
"""

import random
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.lib.connected import connected

SPLITS = ("train", "validation", "test")
FRACTIONS = (0.75, 0.1, 0.15)  # of them, unless somebody says otherwise
SEED = 7
WANTED_TEST, WANTED_VALIDATION = 50, 20  # pairs; fewer say little about a model
MOST_TEST, MOST_VALIDATION = 0.3, 0.2  # of all pairs, however few there are
TOLERANCE = 1.1  # how far a split, or a topic in it, may grow past its target for one more document

Topics = Mapping[str, int]  # topic → pairs


@dataclass(frozen=True, slots=True)
class Item:
    """A pair as the splitter sees it: its key, and what holds it together with others (its documents, its twins, its parent).

    A tie may be the key of another pair.
    """

    key: str
    ties: tuple[Hashable, ...] = ()


def groups_of(items: Iterable[Item]) -> dict[str, list[str]]:
    """Group key → pair keys. Pairs that share a tie, directly or through a pair that has two, share a group.

    A pair without a tie is a group of its own. A group is named after the first of its pairs.
    """
    ties: dict[Hashable, tuple[Hashable, ...]] = {item.key: item.ties for item in items}
    links = ((key, tie) for key, tied in ties.items() for tie in (key, *tied))
    groups = sorted(sorted(str(node) for node in group if node in ties) for group in connected(links))
    return {group[0]: group for group in groups}


def strata_of(groups: Mapping[str, Sequence[str]], topic_of: Callable[[str], str]) -> dict[str, Topics]:
    """Group → pairs by topic. A topic found in fewer groups than there are splits cannot be on every side: those count as one, ""."""
    found = {group: Counter(topic_of(key) for key in keys) for group, keys in groups.items()}
    spread = Counter(topic for topics in found.values() for topic in topics)
    strata: dict[str, Topics] = {}
    for group, topics in found.items():
        kept: Counter[str] = Counter()
        for topic, pairs in topics.items():
            kept[topic if spread[topic] >= len(SPLITS) else ""] += pairs
        strata[group] = dict(kept)
    return strata


def split_groups(groups: Mapping[str, Topics], *, seed: int, fractions: Sequence[float]) -> dict[str, str]:
    """Group → split, balanced by number of pairs, of every topic: test and validation reach their targets, the rest trains.

    ``groups`` is group → pairs by topic, ``fractions`` are of train, validation and test. Needs at least three groups.
    """
    sizes = {group: sum(topics.values()) for group, topics in groups.items()}
    total = sum(sizes.values())
    all_topics: Counter[str] = Counter()
    for topics in groups.values():
        all_topics.update(topics)
    targets = {
        "test": max(total * fractions[2], min(WANTED_TEST, total * MOST_TEST)),
        "validation": max(total * fractions[1], min(WANTED_VALIDATION, total * MOST_VALIDATION)),
    }
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    assigned: dict[str, str] = {}
    for split, keep in (("test", 2), ("validation", 1)):
        left = [group for group in order if group not in assigned]
        wanted = {topic: targets[split] * count / total for topic, count in all_topics.items()}
        for group in _Filling(groups, targets[split], wanted, at_most=len(left) - keep).from_these(left):
            assigned[group] = split
    return {group: assigned.get(group, "train") for group in order}


class _Filling:
    """One split being filled towards ``target`` pairs, and towards ``wanted`` pairs of each topic."""

    def __init__(self, groups: Mapping[str, Topics], target: float, wanted: Mapping[str, float], *, at_most: int) -> None:
        self.groups, self.target, self.wanted, self.at_most = groups, target, wanted, at_most
        self.count = 0
        self.topics: Counter[str] = Counter()
        self.taken: list[str] = []

    def from_these(self, order: Sequence[str]) -> list[str]:
        """Groups in this order that come to about the target: at least one, at most ``at_most``."""
        self._take_while(order, self._has_room)
        self._take_while(order, lambda topics: self._gain(topics) > 0)
        if self._goes_on():  # only what overshoots is left: the nearest, if that is nearer than stopping here
            taken = set(self.taken)
            rest = [group for group in order if group not in taken]
            nearest = max(rest, key=lambda group: self._gain(self.groups[group]))
            if not self.taken or self._gain(self.groups[nearest]) > 0:
                self._take(nearest)
        return self.taken

    def _goes_on(self) -> bool:
        return self.count < self.target and len(self.taken) < self.at_most

    def _take_while(self, order: Sequence[str], good: Callable[[Topics], bool]) -> None:
        taken = set(self.taken)
        for group in order:
            if not self._goes_on():
                return
            topics = self.groups[group]
            if group not in taken and self.count + sum(topics.values()) <= self.target * TOLERANCE and good(topics):
                self._take(group)

    def _has_room(self, topics: Topics) -> bool:
        """Whether most of a group's pairs are of topics that are not full."""
        welcome = sum(
            pairs
            for topic, pairs in topics.items()
            if self.topics[topic] < self.wanted[topic] and self.topics[topic] + pairs <= self.wanted[topic] * TOLERANCE
        )
        return 2 * welcome > sum(topics.values())

    def _gain(self, topics: Topics) -> float:
        """By how many pairs the split, and the topics in it, come nearer to their targets with this group."""
        pairs = sum(topics.values())
        gain = abs(self.count - self.target) - abs(self.count + pairs - self.target)
        for topic, more in topics.items():
            have, wanted = self.topics[topic], self.wanted[topic]
            gain += abs(have - wanted) - abs(have + more - wanted)
        return gain

    def _take(self, group: str) -> None:
        self.taken.append(group)
        self.topics.update(self.groups[group])
        self.count += sum(self.groups[group].values())


@dataclass(frozen=True)
class Balance:
    """How well the topics are spread: pairs by topic and split, and the worst of them.

    ``points`` is by how many percentage points the share of ``topic`` in ``split`` differs from its share in the whole.
    """

    counts: dict[str, dict[str, int]]
    topic: str
    split: str
    points: float


def balance_of(counts: Mapping[str, Mapping[str, int]]) -> Balance:
    """``counts`` is topic → split → pairs."""
    table = {topic: {split: row.get(split, 0) for split in SPLITS} for topic, row in sorted(counts.items())}
    sizes = {split: sum(row[split] for row in table.values()) for split in SPLITS}
    total = sum(sizes.values())
    worst = ("", "", 0.0)
    for topic, row in table.items():
        for split in SPLITS:
            points = 100 * abs(row[split] / sizes[split] - sum(row.values()) / total) if sizes[split] else 0.0
            if points > worst[2]:
                worst = (topic, split, points)
    return Balance(table, worst[0], worst[1], round(worst[2], 1))
