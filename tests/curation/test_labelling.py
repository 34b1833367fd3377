import pytest

from curation.models import Assignment, Pair, PairStatus, PairTag, Response, Tag
from curation.services.labelling import pairs_label, pairs_tag, pairs_untag
from curation.services.tagging import tag_create, tag_delete, tag_merge, tag_move, tag_named, tag_rename, tags_ensure
from curation.services.writing import PairError
from projects.models import AuditEvent

pytestmark = pytest.mark.django_db


def tags_on(pair):
    return sorted(pair.tags.values_list("name", flat=True))


@pytest.fixture
def three(make_pair):
    return [make_pair(f"Question {number}?") for number in range(3)]


def all_of(project):
    return Pair.objects.filter(project=project)


def test_many_get_a_topic_with_a_line_of_history_each(project, reviewer, three):
    Pair.objects.filter(pk=three[0].pk).update(topic="Pumps")
    assert pairs_label(project=project, by=reviewer, pairs=all_of(project), field="topic", value=" Valves \n here ", described="all") == 3
    assert pairs_label(project=project, by=reviewer, pairs=all_of(project), field="topic", value="Valves here") == 0
    pair = Pair.objects.get(pk=three[0].pk)
    change = pair.changes.get()
    assert (pair.topic, pair.revision, pair.edited) == ("Valves here", 2, False)
    assert (change.by, change.before, change.after) == (reviewer, {"topic": "Pumps"}, {"topic": "Valves here"})
    event = AuditEvent.objects.get(action="pairs.set_topic")
    assert (event.target, event.after) == ("all", {"count": 3, "value": "Valves here"})


@pytest.mark.parametrize(("field", "value"), [("difficulty", "brutal"), ("language", "d3"), ("topic", "x" * 121), ("language", "x" * 9)])
def test_a_label_that_cannot_be_changes_nothing(project, reviewer, three, field, value):
    with pytest.raises(PairError):
        pairs_label(project=project, by=reviewer, pairs=all_of(project), field=field, value=value)
    assert not Pair.objects.exclude(**{field: ""}).exists()


def test_pairs_of_another_project_stay_as_they_are(project, outsider, reviewer, three):
    Pair.objects.filter(pk=three[0].pk).update(project=outsider.projects.get())
    pairs_label(project=project, by=reviewer, pairs=Pair.objects.all(), field="language", value="DE")
    pairs_tag(project=project, by=reviewer, pairs=Pair.objects.all(), name="mine")
    stranger = Pair.objects.get(pk=three[0].pk)
    assert stranger.language == "" and tags_on(stranger) == []
    assert Pair.objects.filter(project=project, language="de").count() == 2


def test_many_are_tagged_and_untagged_once(project, reviewer, three):
    old = tag_named(project, "old")
    PairTag.objects.create(pair=three[0], tag=old)
    assert pairs_tag(project=project, by=reviewer, pairs=all_of(project), name=" safety ") == 3
    assert pairs_tag(project=project, by=reviewer, pairs=all_of(project), name="safety") == 0
    assert tags_on(three[0]) == ["old", "safety"]
    safety = Tag.objects.get(name="safety")
    change = three[0].changes.get()
    assert (change.before, change.after) == ({"tags": [old.pk]}, {"tags": [old.pk, safety.pk]})
    assert pairs_untag(project=project, by=reviewer, pairs=all_of(project).filter(pk=three[0].pk), tag=safety) == 1
    assert tags_on(three[0]) == ["old"] and tags_on(three[1]) == ["safety"]


def test_bulk_costs_the_same_queries_whatever_the_batch_holds(project, reviewer, make_pair, django_assert_max_num_queries):
    for number in range(120):
        make_pair(f"Question {number}?")
    with django_assert_max_num_queries(25):
        pairs_tag(project=project, by=reviewer, pairs=all_of(project), name="safety")


# --- the tags themselves ---


def test_a_name_belongs_to_one_tag(project, owner, outsider):
    tag_create(project=project, by=owner, name="a")
    tag_create(project=outsider.projects.get(), by=outsider, name="a")
    other = tag_create(project=project, by=owner, name="b")
    for wrong in ("a", " ", "x" * 41):
        with pytest.raises(PairError):
            tag_create(project=project, by=owner, name=wrong)
        with pytest.raises(PairError):
            tag_rename(tag=other, by=owner, name=wrong)
    assert tag_rename(tag=other, by=owner, name=" c  d ").name == "c d"


def test_joining_keeps_what_either_was_on(project, owner, annotator, reviewer, three):
    one, other = (tags_ensure(project=project, names=["one", "other"])[name] for name in ("one", "other"))
    PairTag.objects.bulk_create([PairTag(pair=three[0], tag=one), PairTag(pair=three[1], tag=one), PairTag(pair=three[1], tag=other)])
    response = Response.objects.create(pair=three[0], user=annotator, messages=[], tags=[one.pk, other.pk], pair_revision=1)
    for user in (annotator, reviewer):
        Assignment.objects.create(project=project, user=user, tag=one)
    Assignment.objects.create(project=project, user=annotator, tag=other)
    assert tag_merge(tag=one, by=owner, into=other) == 1
    assert [tags_on(pair) for pair in three] == [["other"], ["other"], []]
    response.refresh_from_db()
    assert response.tags == [other.pk]
    assert set(Assignment.objects.values_list("user", "tag")) == {(annotator.pk, other.pk), (reviewer.pk, other.pk)}
    with pytest.raises(PairError):
        tag_merge(tag=other, by=owner, into=other)


def test_a_removed_tag_leaves_the_pairs(project, owner, annotator, three):
    tag, other = (tag_named(project, name) for name in ("gone", "kept"))
    PairTag.objects.create(pair=three[0], tag=tag)
    response = Response.objects.create(pair=three[0], user=annotator, messages=[], tags=[tag.pk, other.pk], pair_revision=1)
    assert tag_delete(tag=tag, by=owner) == 1
    response.refresh_from_db()
    assert response.tags == [other.pk] and Pair.objects.count() == 3 and not PairTag.objects.exists()


def test_the_order_is_moved_within_its_ends(project, owner):
    tags_ensure(project=project, names=["a", "b", "c"])
    names = lambda: list(Tag.objects.filter(project=project).values_list("name", flat=True))  # noqa: E731
    for name, places, expected in [("c", -1, "acb"), ("a", -1, "acb"), ("a", 1, "cab"), ("b", 5, "cab")]:
        tag_move(tag=Tag.objects.get(name=name), by=owner, places=places)
        assert "".join(names()) == expected


def test_decided_pairs_keep_their_decision_when_labelled(project, owner, make_pair):
    pair = make_pair("What?", status=PairStatus.APPROVED)
    pairs_tag(project=project, by=owner, pairs=all_of(project), name="t")
    pair.refresh_from_db()
    assert pair.status == PairStatus.APPROVED and pair.revision == 2
