from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from curation.models import Origin, Pair, PairStatus
from curation.selectors.pairs import made_from, pairs_sample
from projects.registries import provided, tabs
from tests.curation.conftest import make_document, text_with

pytestmark = pytest.mark.django_db


def state(project, key):
    return next(tab for tab in tabs() if tab.key == key).state(project)


def test_the_rail_asks_for_somebody_while_pairs_wait(project, make_pair):
    assert state(project, "pairs").state == "empty"
    pair = make_pair("What?")
    assert (state(project, "pairs").state, state(project, "pairs").count) == ("needs_you", 1)
    Pair.objects.filter(pk=pair.pk).update(status=PairStatus.APPROVED)
    assert state(project, "pairs").state == "ready"
    assert state(project, "datasets").state == "empty"


def test_search_is_measured_on_generated_pairs_that_were_not_rejected(project, make_pair):
    version = make_document(project, "a.md", text_with(3, "a"))
    make_pair("Pending?", version=version)
    make_pair("Approved?", version=version, status=PairStatus.APPROVED)
    make_pair("Rejected?", version=version, status=PairStatus.REJECTED)
    make_pair("Written?", version=version, origin=Origin.WRITTEN)
    make_pair("Without source?")
    make_pair("Of an older version, or of a document that was deleted?", version=version, stale=True)
    (questions,) = provided("questions", project)
    assert {row[0] for row in questions} == {"Pending?", "Approved?"}
    assert questions[0][1:] == (version.document_id, 0, 20)


def test_a_sample_is_the_same_each_time_and_printed(project, approved):
    assert pairs_sample(project, count=5, seed=7) == pairs_sample(project, count=5, seed=7)
    assert pairs_sample(project, count=5, seed=7) != pairs_sample(project, count=5, seed=8)
    out = StringIO()
    call_command("pairs_sample", project.slug, n=30, stdout=out)
    assert out.getvalue().count("document-") == 30 and "30. [" in out.getvalue()


def test_a_sample_of_no_project_names_those_there_are(project):
    with pytest.raises(CommandError, match=project.slug):
        call_command("pairs_sample", "nonsense")


def test_pairs_of_a_superseded_version_are_listed_and_marked(project, make_pair):
    version = make_document(project, "a.md", text_with(3, "a"))
    pair, other = make_pair("What?", version=version), make_pair("Other?")
    (listed,) = made_from([version.pk], mark=False)
    assert listed["title"] == "1 pair" and not listed["stale"] and not Pair.objects.filter(stale=True).exists()
    made_from([version.pk], mark=True)
    assert list(Pair.objects.filter(stale=True)) == [pair] != [other]
    (listed,) = made_from([version.pk], mark=False)
    assert listed["stale"] and listed["url"].endswith("?problem=stale")
