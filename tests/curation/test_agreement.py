"""The coefficients against figures from the literature."""

from types import SimpleNamespace

import pytest

from curation.agreement import agreement, closeness, same

# Fleiss (1971) as on the page of Fleiss' kappa: 14 raters, 10 subjects, 5 categories; kappa is 0.210
FLEISS = [
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
]  # fmt: skip


def of_two(both):
    """Labels of two people over pairs, from couples of what they said."""
    return [(who, str(number), said) for number, couple in enumerate(both) for who, said in zip("ab", couple, strict=True)]


def test_cohen_s_kappa_of_a_known_table():
    # 50 proposals, two readers: both yes 20, only A 5, only B 10, both no 15: kappa is 0.4, agreement 70%
    found = agreement(of_two([("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15))
    assert (found.pairs, found.percent) == (50, 70)
    assert found.cohen == pytest.approx(0.4)


def test_fleiss_kappa_of_the_published_example():
    labels = []
    for subject, counts in enumerate(FLEISS):
        said = [category for category, count in enumerate(counts) for _ in range(count)]
        labels += [(f"rater {place}", str(subject), category) for place, category in enumerate(said)]
    assert agreement(labels).fleiss == pytest.approx(0.210, abs=0.001)


def test_krippendorff_s_alpha_with_missing_answers():
    # Krippendorff's own example for nominal data with missing values: alpha is 0.743 (Computing Krippendorff's Alpha, C)
    rows = {
        "a": "1 2 3 3 2 1 4 1 2 . . .", "b": "1 2 3 3 2 2 4 1 2 5 . 3",
        "c": ". 3 3 3 2 3 4 2 2 5 1 .", "d": "1 2 3 3 2 4 4 1 2 5 1 .",
    }  # fmt: skip
    labels = [(who, str(unit), said) for who, row in rows.items() for unit, said in enumerate(row.split()) if said != "."]
    assert agreement(labels).alpha == pytest.approx(0.743, abs=0.001)


def test_tags_in_common_count_for_something():
    near = [(frozenset({1, 2}), frozenset({1})), (frozenset({3}), frozenset({3})), (frozenset({4, 5}), frozenset({4}))]
    far = [(frozenset({1, 2}), frozenset({6})), (frozenset({3}), frozenset({3})), (frozenset({4, 5}), frozenset({7}))]
    assert agreement(of_two(near)).percent == agreement(of_two(far)).percent
    assert agreement(of_two(near)).alpha > agreement(of_two(far)).alpha


def test_what_only_one_person_said_and_what_never_differs_tell_nothing():
    assert agreement([("a", "1", "good"), ("b", "2", "good")]).percent is None
    alike = agreement(of_two([("good", "good")] * 5))
    assert (alike.percent, alike.cohen, alike.fleiss, alike.alpha) == (100, None, None, None)


def test_people_who_share_few_pairs_weigh_little():
    labels = [*of_two([("yes", "yes"), ("no", "no")] * 10), ("c", "0", "no"), ("c", "1", "yes")]
    assert agreement(labels).cohen == pytest.approx((20 * 1 + 2 * -1 + 2 * -1) / 24)


def test_thousands_of_responses_do_not_keep_a_page_waiting():
    import time

    labels = of_two([("yes", "yes"), ("no", "no"), ("yes", "no"), ("unsure", "yes")] * 500)
    start = time.thread_time()
    assert agreement(labels).pairs == 2000
    assert time.thread_time() - start < 5


def response(**fields):
    turns = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": fields.pop("answer", "This.")}]
    kept = {"state": "SUBMITTED", "verdict": "good", "tags": [1, 2], "topic": "", "difficulty": "", "messages": turns}
    return SimpleNamespace(**{**kept, **fields})


@pytest.mark.parametrize(
    ("fields", "alike"),
    [
        ({"tags": [2, 1]}, True), ({"answer": "This. "}, True), ({"answer": "That."}, False), ({"tags": [1]}, False),
        ({"verdict": "bad"}, False), ({"state": "DISCARDED"}, False), ({"difficulty": "hard"}, False),
    ],
)  # fmt: skip
def test_two_responses_are_the_same_when_they_say_the_same(fields, alike):
    assert same([response(), response(**fields)]) is alike


def test_two_who_discard_agree_whatever_they_had_written():
    assert same([response(state="DISCARDED", answer="x"), response(state="DISCARDED", answer="y")])


def test_closeness_is_of_words_in_order():
    assert closeness("a b  c", "a b c") == 1
    assert closeness("a b c d", "w x y z") == 0
    assert closeness("press the red key", "press the green key") == pytest.approx(0.75)
