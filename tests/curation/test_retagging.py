"""Tags of many pairs: each change leaves a line of history and a new revision, in few queries."""

import pytest

from curation.models import Pair, PairChange, PairTag
from curation.services.retagging import pairs_retag
from curation.services.tagging import tag_delete, tag_merge, tags_ensure

pytestmark = pytest.mark.django_db


@pytest.fixture
def tags(project):
    made = tags_ensure(project=project, names=["one", "other"])
    return made["one"], made["other"]


def tagged(*links):
    PairTag.objects.bulk_create(PairTag(pair=pair, tag=tag) for pair, tag in links)


def kept(pair):
    return [(change.before, change.after) for change in pair.changes.all()]


def test_one_comes_in_the_place_of_another(make_pair, owner, tags):
    one, other = tags
    both, first, second, neither = (make_pair(f"Question {number}?") for number in range(4))
    tagged((both, one), (both, other), (first, one), (second, other))
    changed = pairs_retag(by=owner, pairs=list(Pair.objects.values_list("pk", flat=True)), put=other, take=one)
    assert changed == 3 and [sorted(pair.tags.all(), key=str) for pair in (both, first, second, neither)] == [[other]] * 4
    names = {"tag_names": {str(one.pk): "one"}}
    assert kept(both) == [({"tags": sorted([one.pk, other.pk]), **names}, {"tags": [other.pk]})]
    assert kept(neither) == [({"tags": [], **names}, {"tags": [other.pk]})] and kept(second) == []
    assert dict(Pair.objects.values_list("question", "revision"))["Question 2?"] == 1
    assert set(Pair.objects.exclude(pk=second.pk).values_list("revision", flat=True)) == {2}


def test_joining_and_removing_a_tag_leave_a_line_of_history_each(make_pair, owner, tags, monkeypatch):
    monkeypatch.setattr("curation.services.tagging.BATCH", 2)
    (one, other), name = tags, str(tags[1].pk)
    pairs = [make_pair(f"Question {number}?") for number in range(5)]
    tagged(*((pair, one) for pair in pairs), (pairs[0], other))
    assert tag_merge(tag=one, by=owner, into=other) == 4
    assert PairTag.objects.filter(tag=other).count() == 5 and PairChange.objects.filter(by=owner).count() == 5
    assert tag_delete(tag=other, by=owner) == 5
    assert not PairTag.objects.exists() and [len(kept(pair)) for pair in pairs] == [2] * 5
    assert kept(pairs[1])[0] == ({"tags": [int(name)], "tag_names": {name: "other"}}, {"tags": []})


def test_a_batch_costs_the_same_queries_whatever_it_holds(make_pair, owner, tags, django_assert_max_num_queries):
    one, other = tags
    tagged(*((make_pair(f"Question {number}?"), one) for number in range(120)))
    with django_assert_max_num_queries(40):
        assert tag_merge(tag=one, by=owner, into=other) == 120
