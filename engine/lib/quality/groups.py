"""Numbers that hang together, directly or through others."""

from collections.abc import Iterable


def groups_of(links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The connected groups of ``links``, each sorted, in the order of their first numbers."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in links:
        first, second = sorted((root(a), root(b)))
        parent[second] = first
    groups: dict[int, list[int]] = {}
    for node in sorted(parent):
        groups.setdefault(root(node), []).append(node)
    return list(groups.values())
