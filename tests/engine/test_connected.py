"""What hangs together, directly or through others."""

import random

from engine.lib.connected import connected


def test_what_is_linked_through_others_is_one_group() -> None:
    assert connected([(1, 2), (5, 6), (3, 4), (4, 2)]) == [[1, 2, 3, 4], [5, 6]]


def test_groups_and_nodes_stand_in_the_order_in_which_they_first_come() -> None:
    assert connected([("z", "y"), ("b", "a"), ("y", "x")]) == [["z", "y", "x"], ["b", "a"]]


def test_a_node_linked_to_itself_alone_is_a_group() -> None:
    assert connected([(1, 1), (2, 3)]) == [[1], [2, 3]]
    assert connected(()) == []


def test_it_agrees_with_walking_from_node_to_node() -> None:
    for seed in range(50):
        dice = random.Random(seed)
        links = [(dice.randrange(40), dice.randrange(40)) for _ in range(dice.randrange(1, 50))]
        assert sorted(map(sorted, connected(links))) == sorted(walked(links))


def walked(links: list[tuple[int, int]]) -> list[list[int]]:
    """The slow way: from each node as far as links lead."""
    left = {node for link in links for node in link}
    groups = []
    while left:
        group = {left.pop()}
        while more := {node for link in links if group & set(link) for node in link} - group:
            group |= more
        left -= group
        groups.append(sorted(group))
    return groups
