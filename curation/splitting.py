"""Splitting pairs by document, so that nothing of a test document is ever trained on. Pure: no database, the same answer each time."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SPLITS = ("train", "validation", "test")
WANTED_TEST, WANTED_VALIDATION = 50, 20  # pairs; fewer say little about a model
MOST_TEST, MOST_VALIDATION = 0.3, 0.2  # of all pairs, however few there are
TOLERANCE = 1.1  # how far a split may grow past its target for one more document


@dataclass(frozen=True)
class Item:
    """A pair as the splitter sees it: its key and the documents it draws on."""

    key: str
    documents: tuple[str, ...]


def groups_of(items: Iterable[Item]) -> dict[str, list[str]]:
    """Group key → pair keys. Pairs that share a document, directly or through a pair that draws on two, share a group.

    A pair without a document is a group of its own.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    nodes: dict[str, str] = {}
    for item in items:
        anchors = sorted(item.documents) or [f"pair:{item.key}"]
        nodes[item.key] = anchors[0]
        for other in anchors[1:]:
            first, second = sorted((root(anchors[0]), root(other)))
            parent[second] = first
        root(anchors[0])
    groups: dict[str, list[str]] = {}
    for key, node in sorted(nodes.items()):
        groups.setdefault(root(node), []).append(key)
    return groups


def split_groups(sizes: Mapping[str, int], *, seed: int, fractions: Sequence[float]) -> dict[str, str]:
    """Group → split, balanced by number of pairs: test and validation reach their targets, the rest trains.

    ``fractions`` are of train, validation and test. Needs at least three groups.
    """
    total = sum(sizes.values())
    targets = {
        "test": max(total * fractions[2], min(WANTED_TEST, total * MOST_TEST)),
        "validation": max(total * fractions[1], min(WANTED_VALIDATION, total * MOST_VALIDATION)),
    }
    order = sorted(sizes)
    random.Random(seed).shuffle(order)
    assigned: dict[str, str] = {}
    for split, keep in (("test", 2), ("validation", 1)):
        left = [group for group in order if group not in assigned]
        for group in _fill(left, sizes, targets[split], at_most=len(left) - keep):
            assigned[group] = split
    return {group: assigned.get(group, "train") for group in sorted(sizes)}


def _fill(order: list[str], sizes: Mapping[str, int], target: float, *, at_most: int) -> list[str]:
    """Groups in this order whose sizes come to about ``target``: at least one, at most ``at_most``."""
    taken: list[str] = []
    count = 0
    for group in order:
        if count >= target or len(taken) >= at_most:
            break
        if count + sizes[group] <= target * TOLERANCE:
            taken.append(group)
            count += sizes[group]
    if count < target and len(taken) < at_most:  # only large documents are left: the nearest, if that is nearer than stopping here
        rest = [group for group in order if group not in taken]
        nearest = min(rest, key=lambda group: abs(count + sizes[group] - target))
        if not taken or abs(count + sizes[nearest] - target) < target - count:
            taken.append(nearest)
    return taken
