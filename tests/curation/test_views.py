import csv
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from curation.models import DatasetVersion, Pair, PairStatus
from curation.services import dataset_version_cut
from tests.curation.conftest import make_document, text_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def to(project):
    return lambda name, *args: reverse(f"curation:{name}", args=[project.slug, *args])


def form_of(pair, **changes):
    return {
        "question": pair.question,
        "answer": pair.answer,
        "revision": pair.revision,
        "status": pair.status,
        **changes,
    }


# --- the table ---


def test_an_empty_table_teaches_the_next_step(client_for, owner, viewer, to):
    assert "Write a pair" in client_for(owner).get(to("pairs")).content.decode()
    assert "Write a pair" not in client_for(viewer).get(to("pairs")).content.decode()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"Alpha?", "Beta?", "Gamma?"}),
        ({"q": "beta"}, {"Beta?"}),
        ({"q": "second answer"}, {"Beta?"}),
        ({"status": "APPROVED"}, {"Beta?"}),
        ({"shape": "list"}, {"Gamma?"}),
        ({"document": "none"}, {"Beta?", "Gamma?"}),
        ({"document": "not-an-id"}, set()),
        ({"problem": "stale"}, {"Gamma?"}),
        ({"status": "NONSENSE", "sort": "password"}, {"Alpha?", "Beta?", "Gamma?"}),
    ],
)
def test_it_filters_and_searches(client_for, viewer, project, to, make_pair, query, expected):
    make_pair("Alpha?", version=make_document(project, "a.md", text_with(3, "a")))
    make_pair("Beta?", "A second answer.", status=PairStatus.APPROVED)
    make_pair("Gamma?", shape="list", stale=True)
    page = client_for(viewer).get(to("pairs"), query).context["page"]
    assert {pair.question for pair in page} == expected


def test_it_sorts(client_for, viewer, to, make_pair):
    for question, answer in [("B?", "xx"), ("A?", "xxx"), ("C?", "x")]:
        make_pair(question, answer)
    client = client_for(viewer)
    assert [pair.question for pair in client.get(to("pairs"), {"sort": "question"}).context["page"]] == [
        "A?",
        "B?",
        "C?",
    ]
    assert [pair.question for pair in client.get(to("pairs"), {"sort": "-answer_length"}).context["page"]] == [
        "A?",
        "B?",
        "C?",
    ]


def test_the_table_costs_the_same_queries_whatever_it_holds(client_for, owner, to, approved):
    client = client_for(owner)
    one, many = (_queries(client, f"{to('pairs')}?q={text}") for text in ("Question 0 about document 3", "Question"))
    assert one == many < 36


def _queries(client, url):
    with CaptureQueriesContext(connection) as seen:
        client.get(url)
    return len(seen)


def test_a_bulk_action_decides_all_that_match_and_nothing_else(client_for, owner, to, make_pair):
    for number in range(40):
        make_pair(f"Match {number}?")
    make_pair("Other?")
    client_for(owner).post(to("pairs_bulk") + "?q=match", {"action": "approve", "all": "1"})
    assert Pair.objects.filter(status=PairStatus.APPROVED).count() == 40
    assert Pair.objects.get(question="Other?").status == PairStatus.PENDING


def test_a_bulk_action_decides_the_selected(client_for, owner, to, make_pair):
    chosen, other = make_pair("Chosen?"), make_pair("Other?")
    client_for(owner).post(to("pairs_bulk"), {"action": "reject", "ids": [chosen.pk, "nonsense"]})
    assert list(Pair.objects.filter(status=PairStatus.REJECTED)) == [chosen]
    assert client_for(owner).post(to("pairs_bulk"), {"action": "burn", "ids": [other.pk]}).status_code == 404


def test_an_export_holds_what_matches_and_no_formula(client_for, viewer, to, make_pair):
    make_pair("=SUM(A1)?", "Alpha.")
    make_pair("Other?")
    body = b"".join(client_for(viewer).get(to("pairs_export"), {"q": "sum", "as": "csv"})).decode("utf-8-sig")
    rows = list(csv.DictReader(body.splitlines()))
    assert [(row["question"], row["answer"]) for row in rows] == [("'=SUM(A1)?", "Alpha.")]


# --- one pair ---


def test_the_review_page_marks_the_evidence_in_its_passage(client_for, reviewer, project, to, make_pair):
    version = make_document(project, "a.md", text_with(60, "<b>a</b>"))
    pair = make_pair("What?", version=version)
    page = client_for(reviewer).get(to("pair", pair.pk)).content.decode()
    assert "<mark>Sentence 0 of &lt;b&gt;a&lt;/</mark>" in page
    assert 'data-key="a"' in page and "Approve" in page


def test_evidence_that_moved_is_said_to(client_for, reviewer, project, to, make_pair):
    version = make_document(project, "a.md", text_with(6, "a"))
    pair = make_pair("What?", version=version)
    version.text_path.write_text("Something else altogether, of another length.")
    assert "no longer stands" in client_for(reviewer).get(to("pair", pair.pk)).content.decode()


def test_approving_goes_on_to_the_next_that_waits_within_the_filter(client_for, reviewer, to, make_pair):
    first, _, third = make_pair("First match?"), make_pair("Other?"), make_pair("Third match?")
    client = client_for(reviewer)
    response = client.post(to("pair_decide", first.pk) + "?q=match", form_of(first, action="approve"))
    assert response.url == to("pair", third.pk) + "?q=match"
    response = client.post(to("pair_decide", third.pk) + "?q=match", form_of(third, action="reject"))
    assert response.url == to("pairs")
    assert client.get(to("pairs_review")).url.endswith(to("pair", Pair.objects.get(question="Other?").pk))


def test_a_stale_form_is_told_and_keeps_what_was_typed(client_for, reviewer, to, make_pair):
    pair = make_pair("What?")
    Pair.objects.filter(pk=pair.pk).update(revision=5)
    response = client_for(reviewer).post(to("pair_decide", pair.pk), form_of(pair, action="approve", answer="My long answer"))
    assert response.status_code == 422
    page = response.content.decode()
    assert "Somebody else changed this pair" in page and "My long answer" in page
    again = {name: response.context["form"][name].value() for name in ("question", "answer", "revision", "status")}
    assert client_for(reviewer).post(to("pair_decide", pair.pk), {**again, "action": "approve"}).status_code == 302
    assert (Pair.objects.get().answer, Pair.objects.get().status) == ("My long answer", PairStatus.APPROVED)


def test_a_decision_is_undone_from_its_toast(client_for, reviewer, to, make_pair):
    pair = make_pair("What?")
    client = client_for(reviewer)
    client.post(to("pair_decide", pair.pk), form_of(pair, action="approve"))
    client.post(to("pair_undo", pair.pk))
    assert Pair.objects.get().status == PairStatus.PENDING


def test_nobody_takes_back_what_somebody_else_decided(client_for, reviewer, owner, to, make_pair):
    pair = make_pair("What?", status=PairStatus.REJECTED, decided_by=owner)
    assert client_for(reviewer).post(to("pair_undo", pair.pk)).status_code == 409
    assert Pair.objects.get().status == PairStatus.REJECTED


def test_an_annotator_edits_but_does_not_decide(client_for, annotator, to, make_pair):
    pair = make_pair("What?", status=PairStatus.APPROVED)
    client = client_for(annotator)
    assert 'data-key="a"' not in client.get(to("pair", pair.pk)).content.decode()
    assert client.post(to("pair_decide", pair.pk), form_of(pair, action="approve")).status_code == 403
    client.post(to("pair_edit", pair.pk), form_of(pair, answer="Changed."))
    assert (Pair.objects.get().answer, Pair.objects.get().status) == ("Changed.", PairStatus.PENDING)


def test_an_error_stands_at_its_field(client_for, annotator, to, make_pair):
    make_pair("Here?")
    response = client_for(annotator).post(to("pair_new"), {"question": "here", "answer": "Again."})
    assert response.status_code == 422 and "question already" in response.content.decode()


def test_a_pair_of_another_project_is_not_found(client_for, outsider, owner, to, make_pair):
    pair = make_pair("What?")
    Pair.objects.filter(pk=pair.pk).update(project=outsider.projects.get())
    assert client_for(owner).get(to("pair", pair.pk)).status_code == 404


# --- who may what ---

MAY = {
    "pairs": "viewer annotator reviewer engineer owner",
    "pairs_export": "viewer annotator reviewer engineer owner",
    "datasets": "viewer annotator reviewer engineer owner",
    "pair_new": "annotator reviewer engineer owner",
    "pairs_review": "reviewer owner",
    "pairs_generate": "engineer owner",
}


@pytest.mark.parametrize("role", ["viewer", "annotator", "reviewer", "engineer", "owner"])
@pytest.mark.parametrize("name", MAY)
def test_a_role_may_what_its_row_says(client_for, member, to, name, role):
    allowed = role in MAY[name].split()
    assert (client_for(member(role)).get(to(name)).status_code == 403) is not allowed


@pytest.mark.parametrize("role", ["viewer", "annotator", "reviewer", "engineer", "owner"])
def test_only_builders_cut_and_only_reviewers_decide_in_bulk(client_for, member, to, role):
    client = client_for(member(role))
    assert (client.post(to("dataset_cut"), {}).status_code == 403) is (role not in ("engineer", "owner"))
    assert (client.post(to("pairs_bulk"), {"action": "approve"}).status_code == 403) is (role not in ("reviewer", "owner"))


# --- dataset versions ---


def test_cutting_from_the_page_leads_to_the_data_card(client_for, owner, to, approved):
    client = client_for(owner)
    response = client.post(to("dataset_cut"), {"train": 75, "validation": 10, "test": 15, "seed": 7})
    assert response.url == to("dataset", 1)
    page = client.get(response.url).content.decode()
    assert "Data card" in page and "document-00.md" in page


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"train": 75, "validation": 10, "test": 20, "seed": 7}, "must come to 100%"),
        ({"train": 75, "validation": 10, "test": 15, "seed": 7}, "No pair is approved"),
    ],
)
def test_why_it_cannot_be_cut_is_said_on_the_page(client_for, owner, to, make_pair, data, said):
    make_pair("Waiting?")
    response = client_for(owner).post(to("dataset_cut"), data)
    assert response.status_code == 422 and said in response.content.decode()
    assert not DatasetVersion.objects.exists()


def test_a_split_is_downloaded_as_it_was_hashed(client_for, viewer, owner, outsider, project, to, approved):
    version = dataset_version_cut(project=project, by=owner)
    response = client_for(viewer).get(to("dataset_download", 1, "test"))
    rows = [json.loads(line) for line in b"".join(response).splitlines()]
    assert len(rows) == version.counts["test"]
    assert client_for(viewer).get(to("dataset_download", 1, "card")).status_code == 404
    assert client_for(outsider).get(to("dataset_download", 1, "test")).status_code == 404


def test_equal_versions_are_said_to_be_equal(client_for, viewer, owner, project, to, approved):
    for _ in range(2):
        dataset_version_cut(project=project, by=owner)
    assert "as that of version 2" in client_for(viewer).get(to("dataset", 1)).content.decode()
