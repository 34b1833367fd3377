"""What hangs together, directly or through others. Light: no library beyond Python's own."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def connected(links: Iterable[tuple[Node, Node]]) -> list[list[Node]]:
    """The groups that ``links`` make. Groups and their nodes stand in the order in which they first come.

    A node that is linked to itself is there even where nothing else hangs on it.
    """
    parent: dict[Node, Node] = {}

    def root(node: Node) -> Node:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in links:
        first = root(one)
        parent[root(other)] = first
    groups: dict[Node, list[Node]] = {}
    for node in parent:
        groups.setdefault(root(node), []).append(node)
    return list(groups.values())
