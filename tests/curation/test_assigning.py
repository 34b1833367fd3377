import pytest

from curation.models import Assignment, Pair, Tag
from curation.selectors.team import assignments_of
from curation.services import PairError
from curation.services.assigning import assignment_remove, pairs_assign, pairs_share_out, tag_assign
from projects.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_who_may_not_write_pairs_is_assigned_nothing(project, owner, viewer, outsider, make_pair):
    make_pair("What?")
    tag = Tag.objects.create(project=project, name="law")
    for user in (viewer, outsider):
        with pytest.raises(PairError, match="may not write pairs"):
            tag_assign(project=project, by=owner, to=user, tag=tag)
        with pytest.raises(PairError, match="may not write pairs"):
            pairs_assign(project=project, by=owner, to=user, pairs=Pair.objects.all())
    assert not Assignment.objects.exists()


def test_assigning_twice_is_assigning_once(project, owner, annotator, make_pair):
    make_pair("What?")
    tag = Tag.objects.create(project=project, name="law")
    assert tag_assign(project=project, by=owner, to=annotator, tag=tag) == tag_assign(project=project, by=owner, to=annotator, tag=tag)
    counts = [pairs_assign(project=project, by=owner, to=annotator, pairs=Pair.objects.all()) for _ in range(2)]
    assert counts == [1, 0]
    assert AuditEvent.objects.filter(action="assignment.create").count() == 2


def test_pairs_are_dealt_out_evenly(project, owner, annotator, reviewer, make_pair):
    for number in range(7):
        make_pair(f"Question {number}?")
    assert pairs_share_out(project=project, by=owner, to=[annotator, reviewer], pairs=Pair.objects.all()) == 7
    assert sorted(line.count for line in assignments_of(project)) == [3, 4]
    assert Assignment.objects.values("pair").distinct().count() == 7


def test_an_assignment_can_be_taken_back(project, owner, annotator, make_pair):
    make_pair("What?")
    tag = Tag.objects.create(project=project, name="law")
    tag_assign(project=project, by=owner, to=annotator, tag=tag)
    pairs_assign(project=project, by=owner, to=annotator, pairs=Pair.objects.all())
    assert [(line.what, line.tag) for line in assignments_of(project)] == [("Tag “law”", tag.pk), ("Pairs one by one", None)]
    assert assignment_remove(project=project, by=owner, user=annotator, tag=tag) == 1
    assert assignment_remove(project=project, by=owner, user=annotator, tag=None) == 1
    assert not Assignment.objects.exists()
