import random
import time

import pytest

from curation.splitting import SPLITS, Item, balance_of, groups_of, split_groups, strata_of

FRACTIONS = (0.75, 0.1, 0.15)


def of_one_topic(sizes: dict[str, int]) -> dict[str, dict[str, int]]:
    return {group: {"": pairs} for group, pairs in sizes.items()}


def by_topic(groups: dict[str, dict[str, int]], split_of: dict[str, str]) -> dict[str, dict[str, int]]:
    """Topic → split → pairs."""
    counts: dict[str, dict[str, int]] = {}
    for group, topics in groups.items():
        for topic, pairs in topics.items():
            row = counts.setdefault(topic, dict.fromkeys(SPLITS, 0))
            row[split_of[group]] += pairs
    return counts


def mixed(seed: int, documents: int = 60, topics: int = 6) -> dict[str, dict[str, int]]:
    """Documents of 5 to 15 pairs, seven in ten of them of the document's own topic, which is rare for the last topics."""
    dice, groups = random.Random(seed), {}
    names = [f"t{number}" for number in range(topics)]
    for number in range(documents):
        main, found = dice.choices(names, weights=range(topics, 0, -1))[0], {}
        for _ in range(dice.randint(5, 15)):
            topic = main if dice.random() < 0.7 else dice.choice(names)
            found[topic] = found.get(topic, 0) + 1
        groups[f"d{number:02}"] = found
    return groups


def test_pairs_of_one_document_stay_together():
    groups = groups_of([Item("a", ("d1",)), Item("b", ("d1",)), Item("c", ("d2",))])
    assert sorted(map(sorted, groups.values())) == [["a", "b"], ["c"]]


def test_a_pair_of_two_documents_joins_them():
    groups = groups_of([Item("a", ("d1",)), Item("b", ("d2",)), Item("c", ("d1", "d2")), Item("e", ("d3",))])
    assert sorted(map(sorted, groups.values())) == [["a", "b", "c"], ["e"]]


def test_a_pair_stays_with_the_one_it_was_made_from_even_without_a_document():
    groups = groups_of([Item("parent"), Item("variant", ("parent",)), Item("other")])
    assert sorted(groups.values()) == [["other"], ["parent", "variant"]]


def test_a_tie_to_a_pair_that_is_not_there_joins_those_that_share_it():
    assert sorted(groups_of([Item("a", ("gone",)), Item("b", ("gone",)), Item("c")]).values()) == [["a", "b"], ["c"]]


def test_a_pair_without_a_document_is_a_group_of_its_own():
    assert len(groups_of([Item("a", ()), Item("b", ()), Item("c", ("d",))])) == 3


def test_the_same_seed_splits_the_same_way_whatever_the_order():
    sizes = {f"d{number}": number % 7 + 1 for number in range(40)}
    there, back = of_one_topic(sizes), of_one_topic(dict(reversed(sizes.items())))
    assert split_groups(there, seed=3, fractions=FRACTIONS) == split_groups(back, seed=3, fractions=FRACTIONS)
    assert split_groups(there, seed=3, fractions=FRACTIONS) != split_groups(there, seed=4, fractions=FRACTIONS)


@pytest.mark.parametrize("seed", range(10))
def test_test_and_validation_get_enough_pairs_where_there_are_enough(seed):
    sizes = {f"d{number}": random.Random(number).randint(2, 12) for number in range(50)}
    split = split_groups(of_one_topic(sizes), seed=seed, fractions=FRACTIONS)
    counts = {name: sum(sizes[group] for group, where in split.items() if where == name) for name in ("train", "validation", "test")}
    total = sum(sizes.values())
    assert 48 <= counts["test"] <= 0.25 * total
    assert 18 <= counts["validation"] <= 0.18 * total
    assert counts["train"] > total / 2


@pytest.mark.parametrize("sizes", [{"a": 4, "b": 3, "c": 3}, {"a": 300, "b": 5, "c": 5}, {"a": 1, "b": 1, "c": 1}])
@pytest.mark.parametrize("seed", range(5))
def test_no_split_is_empty_however_uneven_the_documents(sizes, seed):
    assert set(split_groups(of_one_topic(sizes), seed=seed, fractions=FRACTIONS).values()) == {"train", "validation", "test"}


def test_the_largest_document_trains():
    for seed in range(8):
        assert split_groups(of_one_topic({"huge": 300, "b": 5, "c": 5}), seed=seed, fractions=FRACTIONS)["huge"] == "train"


def test_a_topic_in_too_few_documents_to_be_on_every_side_counts_with_the_others():
    topic_of = {"a": "rare", "b": "rare", "c": "usual", "d": "usual", "e": "usual"}
    strata = strata_of({"d1": ["a", "c"], "d2": ["b", "d"], "d3": ["e"]}, topic_of.__getitem__)
    assert strata == {"d1": {"": 1, "usual": 1}, "d2": {"": 1, "usual": 1}, "d3": {"usual": 1}}


@pytest.mark.parametrize("seed", range(10))
def test_every_topic_is_on_every_side_in_about_its_share(seed):
    groups = mixed(seed)
    stratified = split_groups(groups, seed=seed, fractions=FRACTIONS)
    sizes = {group: sum(topics.values()) for group, topics in groups.items()}
    blind = split_groups(of_one_topic(sizes), seed=seed, fractions=FRACTIONS)
    counts = by_topic(groups, stratified)
    assert all(row[split] for row in counts.values() for split in ("train", "test"))
    assert balance_of(counts).points <= 10
    total = sum(sizes.values())
    assert 0.13 <= sum(row["test"] for row in counts.values()) / total <= 0.17
    assert 0.08 <= sum(row["validation"] for row in counts.values()) / total <= 0.12
    assert balance_of(counts).points < balance_of(by_topic(groups, blind)).points


def test_the_balance_names_the_topic_and_the_split_that_are_worst():
    counts = {"even": {"train": 80, "validation": 10, "test": 10}, "odd": {"train": 20, "validation": 0, "test": 0}}
    balance = balance_of(counts)
    assert (balance.topic, balance.split, balance.points) == ("even", "validation", 16.7)
    assert balance.counts["odd"] == {"train": 20, "validation": 0, "test": 0}


def test_pairs_of_one_topic_are_all_alike_to_the_balance():
    assert balance_of({"": {"train": 5, "validation": 1, "test": 1}}).points == 0


def test_a_hundred_thousand_pairs_without_documents_are_split_in_seconds():
    groups = {f"{number:06}": {f"t{number % 50}": 1} for number in range(100_000)}
    started = time.monotonic()
    counts = by_topic(groups, split_groups(groups, seed=1, fractions=FRACTIONS))
    assert time.monotonic() - started < 10
    assert balance_of(counts).points < 0.1
