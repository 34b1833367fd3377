"""The different values of a column, found by steps through its index."""

from uuid import uuid4

import pytest

from curation.distinct import distinct_values
from curation.models import Pair
from projects.models import Project

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["topic", "shape", "document_id"])
def test_they_are_those_that_the_database_finds_by_looking_at_every_pair(project, make_pair, name):
    document = uuid4()
    for topic, shape, place in [
        ("b", "list", None),
        ("", "free", document),
        ("a", "free", uuid4()),
        ("b", "list", document),
        ("É", "x", None),
    ]:
        make_pair(f"What of {topic}?", topic=topic, shape=shape, document_id=place)
    looked = Pair.objects.filter(project=project, **{f"{name}__isnull": False}).order_by(name).values_list(name, flat=True).distinct()
    assert distinct_values(project, name) == list(looked) != []


def test_other_projects_and_empty_ones_give_nothing(project, outsider, make_pair):
    make_pair("What?", topic="a")
    Pair.objects.update(project=Project.objects.get(memberships__user=outsider))
    assert distinct_values(project, "topic") == []
