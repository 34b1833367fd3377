import random

import pytest

from curation.splitting import Item, groups_of, split_groups

FRACTIONS = (0.75, 0.1, 0.15)


def test_pairs_of_one_document_stay_together():
    groups = groups_of([Item("a", ("d1",)), Item("b", ("d1",)), Item("c", ("d2",))])
    assert sorted(map(sorted, groups.values())) == [["a", "b"], ["c"]]


def test_a_pair_of_two_documents_joins_them():
    groups = groups_of([Item("a", ("d1",)), Item("b", ("d2",)), Item("c", ("d1", "d2")), Item("e", ("d3",))])
    assert sorted(map(sorted, groups.values())) == [["a", "b", "c"], ["e"]]


def test_a_pair_without_a_document_is_a_group_of_its_own():
    assert len(groups_of([Item("a", ()), Item("b", ()), Item("c", ("d",))])) == 3


def test_the_same_seed_splits_the_same_way_whatever_the_order():
    sizes = {f"d{number}": number % 7 + 1 for number in range(40)}
    backwards = dict(reversed(sizes.items()))
    assert split_groups(sizes, seed=3, fractions=FRACTIONS) == split_groups(backwards, seed=3, fractions=FRACTIONS)
    assert split_groups(sizes, seed=3, fractions=FRACTIONS) != split_groups(sizes, seed=4, fractions=FRACTIONS)


@pytest.mark.parametrize("seed", range(10))
def test_test_and_validation_get_enough_pairs_where_there_are_enough(seed):
    sizes = {f"d{number}": random.Random(number).randint(2, 12) for number in range(50)}
    split = split_groups(sizes, seed=seed, fractions=FRACTIONS)
    counts = {name: sum(sizes[group] for group, where in split.items() if where == name) for name in ("train", "validation", "test")}
    total = sum(sizes.values())
    assert 48 <= counts["test"] <= 0.25 * total
    assert 18 <= counts["validation"] <= 0.18 * total
    assert counts["train"] > total / 2


@pytest.mark.parametrize("sizes", [{"a": 4, "b": 3, "c": 3}, {"a": 300, "b": 5, "c": 5}, {"a": 1, "b": 1, "c": 1}])
@pytest.mark.parametrize("seed", range(5))
def test_no_split_is_empty_however_uneven_the_documents(sizes, seed):
    assert set(split_groups(sizes, seed=seed, fractions=FRACTIONS).values()) == {"train", "validation", "test"}


def test_the_largest_document_trains():
    for seed in range(8):
        assert split_groups({"huge": 300, "b": 5, "c": 5}, seed=seed, fractions=FRACTIONS)["huge"] == "train"
