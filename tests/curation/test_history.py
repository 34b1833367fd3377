"""The history of a pair as its page tells it: every text and label that changed, and what can be taken back."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from curation.labels import Labels
from curation.models import Pair, PairChange
from curation.selectors.history import history_lines
from curation.services import PairError, pair_edit
from curation.services.labelling import pairs_tag
from curation.services.reviewing import change_undo
from curation.services.tagging import tag_delete, tag_merge, tag_named

pytestmark = pytest.mark.django_db

TURNS = [{"role": "assistant", "content": "Which pump?"}, {"role": "user", "content": "The red one."}]


def edit(pair, by, **changes):
    words = {"question": pair.question, "answer": pair.answer, "reviewer": True}
    return pair_edit(pair=pair, by=by, **{**words, **changes})


def told(pair, line=0):
    """The names of the texts that a line shows, each with the words that went and came."""
    parts = history_lines(Pair.objects.get(pk=pair.pk))[line].parts
    return {part.name: [(one.kind, one.text) for one in part.segments if one.kind != "same"] for part in parts}


def test_it_shows_a_change_of_every_text(make_pair, owner):
    pair = edit(make_pair("What?", "This."), owner, system="Be brief.", turns=TURNS, labels=Labels(rejected="That."))
    assert told(pair) == {
        "System prompt": [("new", "Be brief.")],
        "Turn 2 (answer)": [("new", "Which pump?")],
        "Turn 3 (question)": [("new", "The red one.")],
        "Rejected answer": [("new", "That.")],
    }
    blue = [TURNS[0], {"role": "user", "content": "The blue one."}]
    edit(pair, owner, system="Be long.", turns=blue, labels=Labels(rejected="That too."))
    assert told(pair) == {
        "System prompt": [("gone", "brief"), ("new", "long")],
        "Turn 3 (question)": [("gone", "red"), ("new", "blue")],
        "Rejected answer": [("new", " too")],
    }


def test_the_page_names_what_changed(client_for, owner, project, make_pair):
    pair = edit(make_pair("What?", "This."), owner, system="Be <b>brief</b>.", labels=Labels(rejected="That."))
    page = client_for(owner).get(reverse("curation:pair", args=[project.slug, pair.pk])).content.decode()
    shown = page.split("data-history")[1].split("</details>")[0]
    assert ">System prompt<" in shown and "<ins>Be &lt;b&gt;brief&lt;/b&gt;.</ins>" in shown
    assert ">Rejected answer<" in shown and "<ins>That.</ins>" in shown and ">Answer<" not in shown


def test_changes_of_before_whole_conversations_were_kept_show_question_and_answer(make_pair, owner):
    pair = make_pair("What?", "New.")
    old = {"question": "What?", "answer": "Old.", "status": "PENDING"}
    PairChange.objects.create(pair=pair, by=owner, before=old, after={**old, "answer": "New."})
    assert told(pair) == {"Answer": [("gone", "Old"), ("new", "New")]}


def test_a_tag_that_is_gone_keeps_its_name_there_and_nothing_brings_it_back(project, owner, make_pair):
    pair, joined = make_pair("What?"), make_pair("Which?")
    pairs_tag(project=project, by=owner, pairs=Pair.objects.filter(pk=pair.pk), name="old")
    pairs_tag(project=project, by=owner, pairs=Pair.objects.filter(pk=joined.pk), name="double")
    tag_delete(tag=tag_named(project, "old"), by=owner)
    tag_merge(tag=tag_named(project, "double"), by=owner, into=tag_named(project, "single"))
    fields = [[line.fields for line in history_lines(one)] for one in (pair, joined)]
    assert fields == [
        [[("Tags", "old", "none")], [("Tags", "none", "old")]],
        [[("Tags", "double", "single")], [("Tags", "none", "double")]],
    ]
    assert not any(line.can_undo for one in (pair, joined) for line in history_lines(one))
    with pytest.raises(PairError, match="changed again since"):
        change_undo(change=joined.changes.first(), by=owner)


def test_it_costs_the_same_queries_however_much_happened(project, owner, make_pair):
    pair = make_pair("What?")
    counts = []
    for names in (["a"], [str(number) for number in range(20)]):
        for name in names:
            pairs_tag(project=project, by=owner, pairs=Pair.objects.filter(pk=pair.pk), name=name)
        with CaptureQueriesContext(connection) as seen:
            lines = history_lines(Pair.objects.get())
        counts.append(len(seen))
    assert len(lines) == 21 and counts[0] == counts[1] < 6
