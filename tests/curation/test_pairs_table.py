"""The table of pairs and what hangs on it: filters, counts, labels for many, tags, likeness, and the fields of one pair."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from curation.models import Assignment, Pair, PairStatus, SavedFilter, Tag
from curation.services.labelling import pairs_tag
from curation.services.tagging import tags_ensure
from curation.services.writing import derived
from curation.similar import similar_by_words
from projects.models import AuditEvent
from retrieval.embedding import EmbedderAway
from tests.curation.conftest import make_document, text_with

pytestmark = pytest.mark.django_db
STALE = {"all": [{"field": "stale", "op": "is", "value": True}]}


@pytest.fixture
def to(project):
    return lambda name, *args: reverse(f"curation:{name}", args=[project.slug, *args])


def queries(client, url, **data):
    with CaptureQueriesContext(connection) as seen:
        assert client.get(url, data).status_code == 200
    return len(seen)


def questions(response):
    return [pair.question for pair in response.context["page"]]


# --- what is shown ---


def test_a_filter_in_the_address_is_obeyed_and_said(client_for, viewer, to, make_pair):
    make_pair("Old?", stale=True)
    make_pair("New?")
    response = client_for(viewer).get(to("pairs"), {"f": json.dumps(STALE)})
    assert questions(response) == ["Old?"] and "Document has changed: yes" in response.content.decode()
    assert 'name="f"' in response.content.decode(), "searching on keeps the filter"


def test_a_filter_that_cannot_be_read_is_said_and_decides_nothing(client_for, owner, to, make_pair):
    pair = make_pair("What?")
    bad = '?f={"field":"password","op":"is","value":"x"}'
    response = client_for(owner).get(to("pairs") + bad)
    assert response.status_code == 400 and "no field “password”" in response.content.decode()
    assert client_for(owner).post(to("pairs_bulk") + bad, {"action": "approve", "all": "1"}).status_code == 400
    pair.refresh_from_db()
    assert pair.status == PairStatus.PENDING


def test_plain_filters_and_the_tree_are_one_filter(client_for, viewer, project, owner, to, make_pair):
    for number, topic in enumerate(["Pumps", "Pumps", "Valves"]):
        make_pair(f"Question {number}?", topic=topic, stale=number != 1)
    pairs_tag(project=project, by=owner, pairs=Pair.objects.filter(question="Question 0?"), name="safety")
    client = client_for(viewer)
    assert questions(client.get(to("pairs"), {"topic": "Pumps", "f": json.dumps(STALE)})) == ["Question 0?"]
    assert questions(client.get(to("pairs"), {"tag": "safety", "q": "question"})) == ["Question 0?"]
    assert questions(client.get(to("pairs"), {"tag": "none", "topic": "Pumps"})) == ["Question 1?"]


def test_pages_keep_the_order_asked_for(client_for, viewer, to, make_pair):
    for number in range(60):
        make_pair(f"Question {number:02}?", "x" * (60 - number))
    client = client_for(viewer)
    seen = [question for page in (1, 2, 3) for question in questions(client.get(to("pairs"), {"sort": "answer_length", "page": page}))]
    assert seen == [f"Question {number:02}?" for number in reversed(range(60))]
    assert questions(client.get(to("pairs"), {"page": "nonsense"}))[0] == "Question 00?"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("pairs", {}),
        ("pairs", {"q": "question", "status": "PENDING", "topic": "Pumps", "sort": "-question"}),
        ("pairs", {"f": json.dumps({"any": [{"field": "tag", "op": "is", "value": "safety"}, {"not": STALE}]})}),
        ("facets", {"field": "topic"}),
        ("facets", {"field": "tag", "q": "question"}),
        ("filter", {}),
    ],
)
def test_ten_pairs_cost_as_many_queries_as_a_thousand(client_for, owner, project, to, make_pair, name, data):
    version = make_document(project, "a.md", text_with(3, "a"))
    client = client_for(owner)

    def fill(count):
        fields = {"topic": "Pumps", "shape": "list", "difficulty": "hard", "version": version}
        for number in range(count):
            make_pair(f"Question {Pair.objects.count()}?", **(fields if number % 2 else {"topic": "Pumps"}))
        pairs_tag(project=project, by=owner, pairs=Pair.objects.filter(project=project), name="safety")

    fill(10)
    few = queries(client, to(name), **data)
    pair = Pair.objects.first()
    rows = [Pair(project=project, origin="generated", topic="Pumps", **derived(pair.messages)) for _ in range(990)]
    Pair.objects.bulk_create(rows)
    pairs_tag(project=project, by=owner, pairs=Pair.objects.filter(project=project), name="safety")
    assert queries(client, to(name), **data) == few <= 38


# --- counts ---


def test_counts_are_of_what_everything_else_leaves(client_for, viewer, project, owner, to, make_pair):
    for topic, stale in [("Pumps", True), ("Pumps", False), ("Valves", True), ("", True)]:
        make_pair(f"{topic} {stale}?", topic=topic, stale=stale)
    pairs_tag(project=project, by=owner, pairs=Pair.objects.filter(topic="Pumps"), name="safety")
    client = client_for(viewer)

    def counts(field, **data):
        return {one.value: one.count for one in client.get(to("facets"), {"field": field, **data}).context["facet"].values}

    assert counts("topic") == {"Pumps": 2, "Valves": 1, "none": 1}
    assert counts("topic", f=json.dumps(STALE)) == {"Pumps": 1, "Valves": 1, "none": 1}
    assert counts("topic", topic="Valves") == {"Pumps": 2, "Valves": 1, "none": 1}, "its own filter does not narrow it"
    assert counts("tag") == {"safety": 2} and counts("tag", topic="Valves") == {}
    assert counts("status") == {"PENDING": 4} and counts("document") == {"none": 4}
    assert client.get(to("facets"), {"field": "password"}).status_code == 404
    assert client.get(to("facets")).content.decode().count('class="facet"') == 8


def test_a_value_leads_to_the_table_filtered_by_it_and_back(client_for, viewer, to, make_pair):
    make_pair("A?", topic="Pumps & valves")
    page = client_for(viewer).get(to("facets"), {"field": "topic", "q": "a?"}).content.decode()
    assert "?q=a%3F&amp;topic=Pumps%20%26%20valves" in page
    page = client_for(viewer).get(to("facets"), {"field": "topic", "q": "a?", "topic": "Pumps & valves"}).content.decode()
    assert 'aria-current="true"' in page and '?q=a%3F"' in page


# --- many at once ---


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"action": "topic", "topic": "Pumps"}, {"topic": "Pumps"}),
        ({"action": "difficulty", "difficulty": "hard"}, {"difficulty": "hard"}),
        ({"action": "language", "language": "EN"}, {"language": "en"}),
    ],
)
def test_labels_are_set_on_all_that_match(client_for, reviewer, to, make_pair, data, expected):
    for number in range(3):
        make_pair(f"Match {number}?")
    make_pair("Other?")
    client_for(reviewer).post(to("pairs_bulk") + "?q=match", {"all": "1", **data})
    assert Pair.objects.filter(**expected).count() == 3


def test_tags_and_people_are_given_to_the_selected(client_for, reviewer, annotator, to, make_pair):
    pair = make_pair("What?")
    make_pair("Other?")
    client = client_for(reviewer)
    client.post(to("pairs_bulk"), {"action": "tag", "tag": "safety", "ids": [pair.pk]})
    assert [tag.name for tag in pair.tags.all()] == ["safety"]
    client.post(to("pairs_bulk"), {"action": "untag", "untag": "safety", "ids": [pair.pk]})
    assert not pair.tags.exists()
    client.post(to("pairs_bulk"), {"action": "assign", "assign": str(annotator.pk), "ids": [pair.pk]})
    assert Assignment.objects.get().user == annotator


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"action": "topic", "topic": "x" * 121}, "At most 120 characters"),
        ({"action": "untag", "untag": "nothing"}, "Choose a tag"),
        ({"action": "assign", "assign": "999999"}, "Choose who"),
        ({"action": "tag", "tag": " "}, "needs a name"),
    ],
)
def test_what_cannot_be_set_is_said_on_the_table(client_for, reviewer, to, make_pair, data, said):
    pair = make_pair("What?")
    page = client_for(reviewer).post(to("pairs_bulk"), {**data, "ids": [pair.pk]}, follow=True).content.decode()
    assert said in page


# --- filters by name ---


def test_a_filter_is_put_together_saved_shared_and_removed(client_for, annotator, reviewer, to, make_pair):
    make_pair("Old?", stale=True)
    client = client_for(annotator)
    page = client.get(to("filter"), {"topic": "Pumps", "f": json.dumps(STALE)}).content.decode()
    assert "Document has changed" in page and "Save filter" in page and "&quot;topic&quot;" in page
    response = client.post(to("filters"), {"f": json.dumps(STALE), "name": "Old ones"})
    assert questions(client.get(response.url)) == ["Old?"]
    saved = SavedFilter.objects.get()
    assert "Old ones" not in client_for(reviewer).get(to("pairs")).content.decode()
    client.post(to("filter_change", saved.pk), {"name": "Old documents", "shared": "on"})
    assert "Old documents" in client_for(reviewer).get(to("pairs")).content.decode()
    assert "Document has changed: yes" in client_for(reviewer).get(to("filters")).content.decode()
    client_for(reviewer).post(to("filter_change", saved.pk), {"action": "delete"})
    assert SavedFilter.objects.exists(), "somebody else's stays"
    client.post(to("filter_change", saved.pk), {"action": "delete"})
    assert not SavedFilter.objects.exists()


def test_a_name_that_is_taken_loses_nothing(client_for, annotator, to):
    client = client_for(annotator)
    for _ in range(2):
        response = client.post(to("filters"), {"f": json.dumps(STALE), "name": "Old ones", "shared": "on"})
    page = response.content.decode()
    assert response.status_code == 422 and "already" in page and 'value="Old ones"' in page and "&quot;stale&quot;" in page


def test_a_saved_filter_whose_field_is_gone_does_not_break_the_table(client_for, owner, project, to, make_pair):
    make_pair("What?")
    SavedFilter.objects.create(project=project, by=owner, name="Broken", tree={"field": "gone", "op": "is", "value": 1})
    assert client_for(owner).get(to("pairs")).status_code == 200
    assert "Cannot be read any more" in client_for(owner).get(to("filters")).content.decode()


# --- tags ---


def test_tags_are_managed_on_their_page(client_for, reviewer, project, to, make_pair):
    client = client_for(reviewer)
    client.post(to("tags"), {"name": "one"})
    tags_ensure(project=project, names=["two"])
    one, two = Tag.objects.get(name="one"), Tag.objects.get(name="two")
    assert client.post(to("tags"), {"name": "one"}).status_code == 422
    client.post(to("tag_change", two.pk), {"action": "up"})
    assert [tag.name for tag in Tag.objects.all()] == ["two", "one"]
    client.post(to("tag_change", one.pk), {"action": "rename", "name": "first"})
    client.post(to("tag_change", one.pk), {"action": "merge", "into": str(two.pk)})
    assert [tag.name for tag in Tag.objects.all()] == ["two"]
    assert client.post(to("tag_change", two.pk), {"action": "burn"}).status_code == 404
    client.post(to("tag_change", two.pk), {"action": "delete"})
    assert not Tag.objects.exists()


def test_a_tag_of_another_project_is_not_found(client_for, reviewer, outsider, to):
    tag = tags_ensure(project=outsider.projects.get(), names=["theirs"])["theirs"]
    assert client_for(reviewer).post(to("tag_change", tag.pk), {"action": "delete"}).status_code == 404


# --- likeness ---


def test_the_likest_come_first(client_for, viewer, project, make_pair, to):
    pair = make_pair("How is the centrifugal pump vented?", "Open the bleed screw until water comes.")
    twin = make_pair("How is the centrifugal pump vented by hand?", "Open the bleed screw until water comes.")
    cousin = make_pair("What does the centrifugal pump weigh?", "Twelve kilograms.")
    make_pair("Unrelated?", "Nothing in common.")
    assert [one.pair for one in similar_by_words(pair)] == [twin, cousin]
    assert similar_by_words(pair)[0].score > 0.8
    page = client_for(viewer).get(to("pair_similar", pair.pk)).content.decode()
    assert page.index("by hand") < page.index("weigh") and "Unrelated" not in page


def test_without_the_embedding_server_likeness_is_by_words(client_for, viewer, make_pair, to, monkeypatch):
    def away(texts):
        raise EmbedderAway("Nobody listens there.")

    monkeypatch.setattr("curation.similar.embed", away)
    pair = make_pair("How is the pump vented?")
    make_pair("How is the pump vented by hand?")
    page = client_for(viewer).get(to("pair_similar", pair.pk), {"by": "meaning"}).content.decode()
    assert "Nobody listens there." in page and "by hand" in page


def test_meaning_ranks_what_the_server_embeds(client_for, viewer, make_pair, to, monkeypatch):
    import numpy as np

    def embed(texts):
        return np.array([[1, 0] if "pump" in text else [0.6, 0.8] for text in texts], dtype="float32")

    monkeypatch.setattr("curation.similar.embed", embed)  # the server stands outside this process
    pair = make_pair("Where is the pump?", topic="T")
    far, near = make_pair("Where is the valve?", topic="T"), make_pair("A pump, where?", topic="T")
    found = client_for(viewer).get(to("pair_similar", pair.pk), {"by": "meaning"}).context["found"]
    assert [(one.pair, round(one.score, 1)) for one in found] == [(near, 1.0), (far, 0.6)]


# --- the fields of one pair ---


def sent(pair, **changes):
    words = {"question": pair.question, "answer": pair.answer, "revision": pair.revision, "status": pair.status, "facts": "1"}
    return {**words, "topic": pair.topic, "language": pair.language, "difficulty": pair.difficulty, **changes}


def test_labels_turns_and_the_worse_answer_are_edited_with_history(client_for, annotator, project, to, make_pair):
    pair, tag = make_pair("Can it run dry?", "No."), tags_ensure(project=project, names=["safety"])["safety"]
    turns = {"turns_role": ["assistant", "user"], "turns_text": ["For how long?", " A fortnight. "]}
    data = sent(pair, topic="Pumps", language="EN", difficulty="easy", tags=[tag.pk], new_tag="dry", rejected="Yes.", **turns)
    assert client_for(annotator).post(to("pair_edit", pair.pk), data).status_code == 302
    pair.refresh_from_db()
    assert [turn["content"] for turn in pair.messages] == ["Can it run dry?", "For how long?", "A fortnight.", "No."]
    assert (pair.topic, pair.language, pair.difficulty, pair.fork) == ("Pumps", "en", "easy", 3)
    assert pair.rejected == [{"role": "assistant", "content": "Yes."}] and [one.name for one in pair.tags.all()] == ["safety", "dry"]
    change = pair.changes.get()
    assert change.before["tags"] == [] and change.after["topic"] == "Pumps" and change.after["fork"] == 3
    page = client_for(annotator).get(to("pair", pair.pk)).content.decode()
    assert "A fortnight." in page and "Chosen and rejected" in page and "Yes." in page


def test_a_form_without_these_fields_leaves_them(client_for, annotator, project, to, make_pair):
    pair = make_pair("What?", topic="Pumps", rejected=[{"role": "assistant", "content": "Worse."}], fork=1)
    data = {name: value for name, value in sent(pair, answer="Better.").items() if name not in ("facts", "topic")}
    client_for(annotator).post(to("pair_edit", pair.pk), data)
    pair.refresh_from_db()
    assert (pair.answer, pair.topic, pair.fork) == ("Better.", "Pumps", 1)


def test_labels_alone_do_not_send_an_approved_pair_back(client_for, annotator, to, make_pair):
    pair = make_pair("What?", status=PairStatus.APPROVED)
    client_for(annotator).post(to("pair_edit", pair.pk), sent(pair, topic="Pumps"))
    pair.refresh_from_db()
    assert (pair.status, pair.topic, pair.edited) == (PairStatus.APPROVED, "Pumps", False)
    client_for(annotator).post(to("pair_edit", pair.pk), sent(pair, rejected="Worse."))
    pair.refresh_from_db()
    assert pair.status == PairStatus.PENDING, "a worse answer is words"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"turns_role": ["user"], "turns_text": ["And?"]}, "take turns"),
        ({"language": "d3"}, "ISO 639-1"),
        ({"rejected": "An answer."}, "the answer itself"),
        ({"topic": "x" * 121}, "at most 120"),
    ],
)
def test_what_cannot_stand_is_said_and_nothing_typed_is_lost(client_for, annotator, to, make_pair, changes, said):
    pair = make_pair("What?")
    response = client_for(annotator).post(to("pair_edit", pair.pk), sent(pair, difficulty="hard", new_tag="typed", **changes))
    page = response.content.decode()
    assert response.status_code == 422 and said in page and 'value="typed"' in page
    typed = changes.get("turns_text", changes.values())
    assert all(str(value) in page for value in typed)
    assert not Pair.objects.exclude(difficulty="").exists()


def test_a_fork_moves_with_the_turns_before_it(client_for, annotator, to, make_pair):
    pair = make_pair("What?", rejected=[{"role": "assistant", "content": "Worse."}], fork=1)
    client_for(annotator).post(to("pair_edit", pair.pk), sent(pair, system="Be brief.", rejected="Worse."))
    pair.refresh_from_db()
    assert (pair.messages[0]["role"], pair.fork) == ("system", 2)


def test_a_reviewer_labels_and_approves_in_one_go(client_for, reviewer, to, make_pair):
    pair = make_pair("What?")
    client_for(reviewer).post(to("pair_decide", pair.pk), sent(pair, action="approve", topic="Pumps"))
    pair.refresh_from_db()
    assert (pair.status, pair.topic) == (PairStatus.APPROVED, "Pumps")
    assert AuditEvent.objects.filter(action="pair.approve").exists()
