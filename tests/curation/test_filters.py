import json
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from curation.filter_fields import FIELDS
from curation.filters import (
    CONDITIONS,
    DEPTH,
    EVERYTHING,
    Condition,
    FilterError,
    Group,
    filter_parse,
    filter_read,
    filter_text,
    pairs_matching,
)
from curation.messages import messages_of
from curation.models import Assignment, Comment, Finding, Origin, Pair, PairStatus, QualityReport, Response, SavedFilter
from curation.selectors.filters import choices_of, filter_words, saved_filters
from curation.services.filtering import filter_change, filter_create, filter_delete
from curation.services.labelling import pairs_tag
from curation.services.writing import PairError, derived
from runs.models import Artifact
from tests.curation.conftest import make_document, text_with

pytestmark = pytest.mark.django_db


def one(field, op, value=None):
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


@pytest.fixture
def version(project):
    return make_document(project, "pumps.md", text_with(3, "a"))


@pytest.fixture
def pairs(project, owner, make_pair, version):
    """Alpha has nothing set; Beta has everything."""
    alpha = make_pair("Alpha pump?", "Short.")
    beta = make_pair(
        "Beta valve?",
        "A long answer about flanges.",
        version=version,
        status=PairStatus.APPROVED,
        shape="list",
        topic="Pumps",
        language="de",
        difficulty="hard",
        origin=Origin.AUGMENTED,
        made_by="augment_pairs, template",
        parent=alpha,
        rejected=[{"role": "assistant", "content": "Worse."}],
        fork=1,
        stale=True,
        edited=True,
        disputed=True,
        collected=2,
        created_by=owner,
        decided_by=owner,
        decided_at=timezone.now(),
        note="Say which one",
        extra={"Ticket": "Größe 7"},
    )
    Comment.objects.create(pair=beta, by=owner, text="Looks odd to me")
    Response.objects.create(pair=beta, user=owner, state="SUBMITTED", messages=beta.messages, pair_revision=1)
    Response.objects.create(pair=alpha, user=owner, state="DRAFT", messages=alpha.messages, pair_revision=1)
    Assignment.objects.create(project=project, user=owner, pair=beta, by=owner)
    pairs_tag(project=project, by=owner, pairs=Pair.objects.filter(pk=beta.pk), name="safety")
    report = QualityReport.objects.create(
        project=project,
        artifact=Artifact.objects.create(project=project, kind="quality-report", uri="x", bytes=0, sha256="0" * 64),
        verdict="fail",
        pairs=2,
        report={"checks": [{"key": "exact", "title": "Exact copies"}]},
        fingerprint="",
    )
    Finding.objects.create(report=report, check_key="exact", pair=beta)
    return alpha, beta


TODAY = timezone.localdate().isoformat()
LONG_AGO = "2001-01-01"


EACH = [
    one("any", "contains", "flange"),
    one("any", "lacks", "alpha"),
    one("question", "contains", "valve"),
    one("answer", "contains", "long flanges"),
    one("answer", "lacks", "short"),
    one("answer_length", "at_least", 10),
    one("status", "is", "APPROVED"),
    one("status", "is_not", "PENDING"),
    one("tag", "is", "safety"),
    one("tag", "set"),
    one("topic", "is", "Pumps"),
    one("topic", "set"),
    one("shape", "is", "list"),
    one("difficulty", "is", "hard"),
    one("language", "is", "de"),
    one("document", "set"),
    one("origin", "is", "augmented"),
    one("made_by", "contains", "TEMPLATE"),
    one("parent", "set"),
    one("preference", "is", True),
    one("stale", "is", "true"),
    one("edited", "is", True),
    one("has_source", "is", True),
    one("disputed", "is", "yes"),
    one("collected", "at_least", "2"),
    one("finding", "is", "exact"),
    one("finding", "set"),
    one("created_by", "set"),
    one("decided_at", "since", TODAY),
    one("decided_at", "days", 2),
    one("decided_by", "set"),
    one("note", "contains", "which"),
    one("comment", "contains", "ODD to"),
    one("comment", "set"),
    one("assigned_to", "set"),
    one("answered_by", "set"),
    one("imported", "contains", "größe"),
    one("imported", "contains", "ticket"),
    one("imported", "set"),
]


@pytest.mark.parametrize("condition", EACH, ids=lambda condition: f"{condition['field']}-{condition['op']}")
def test_each_field_finds_the_pair_that_has_it_and_its_opposite_the_other(project, pairs, condition):
    alpha, beta = pairs
    assert list(pairs_matching(project, condition)) == [beta]
    assert list(pairs_matching(project, {"not": condition})) == [alpha]


def test_no_field_goes_untested():
    assert set(FIELDS) - {condition["field"] for condition in EACH} == {"created_at", "same_answer", "by_rule"}, "which have tests below"


def test_dates_mean_whole_days(project, pairs):
    alpha, beta = pairs
    Pair.objects.filter(pk=alpha.pk).update(created_at=timezone.now() - timedelta(days=40))
    assert list(pairs_matching(project, one("created_at", "days", 30))) == [beta]
    assert list(pairs_matching(project, one("created_at", "since", TODAY))) == [beta]
    assert set(pairs_matching(project, one("created_at", "until", TODAY))) == {alpha, beta}
    assert not pairs_matching(project, one("created_at", "until", LONG_AGO))


def test_keys_and_rules_are_found(project, owner, pairs, version):
    alpha, beta = pairs
    for field, value in [("parent", str(alpha.pk)), ("document", str(version.document_id)), ("created_by", str(owner.pk))]:
        assert list(pairs_matching(project, one(field, "is", value))) == [beta]
    assert not pairs_matching(project, one("document", "is", "no id"))
    Pair.objects.filter(pk=alpha.pk).update(decided_by_rule="a rule")
    assert list(pairs_matching(project, one("by_rule", "is", True))) == [alpha]
    Pair.objects.filter(pk=alpha.pk).update(**derived(messages_of("Alpha pump?", beta.answer)))
    assert set(pairs_matching(project, one("same_answer", "is", True))) == {alpha, beta}


def test_answers_of_before_get_their_hash(pairs, monkeypatch):
    migration = import_module("curation.migrations.0006_answers_in_common")
    monkeypatch.setattr(migration, "BATCH", 1)
    hashes = list(Pair.objects.order_by("pk").values_list("answer_hash", flat=True))
    Pair.objects.update(answer_hash=None)
    migration.fill(apps, SimpleNamespace(connection=connection))
    assert list(Pair.objects.order_by("pk").values_list("answer_hash", flat=True)) == hashes and len(set(hashes)) == 2


def test_work_is_found_by_person(project, owner, member, pairs):
    _, beta = pairs
    other = member("annotator")
    for field in ("assigned_to", "answered_by"):
        assert list(pairs_matching(project, one(field, "is", str(owner.pk)))) == [beta]
        assert not pairs_matching(project, one(field, "is", str(other.pk))) and not pairs_matching(project, one(field, "is", "nobody"))
    Assignment.objects.create(project=project, user=other, tag=beta.tags.get(), by=owner)
    assert list(pairs_matching(project, one("assigned_to", "is", str(other.pk)))) == [beta]


def test_groups_stand_in_one_another(project, pairs, make_pair):
    alpha, beta = pairs
    gamma = make_pair("Gamma?", topic="Pumps")
    tree = {"all": [one("topic", "is", "Pumps"), {"any": [one("status", "is", "APPROVED"), one("question", "contains", "nothing")]}]}
    assert list(pairs_matching(project, tree)) == [beta]
    assert set(pairs_matching(project, {"not": {"any": [one("status", "is", "APPROVED"), one("question", "contains", "gamma")]}})) == {
        alpha
    }
    assert set(pairs_matching(project, {"all": [{"any": []}, {"all": []}]})) == {alpha, beta, gamma}, "an empty group asks nothing"


def test_another_project_is_never_looked_into(project, outsider, pairs):
    assert not pairs_matching(outsider.projects.get(), {"any": [one("status", "is", "APPROVED"), {"not": one("tag", "set")}]})


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (one("password", "is", "x"), "no field “password”"),
        (one("status", "contains", "x"), "Status cannot be asked “contains”"),
        (one("status", "is", "GREAT"), "there is no “GREAT”"),
        (one("answer_length", "is", "many"), "whole number"),
        (one("answer_length", "is", -4), "whole number"),
        (one("created_at", "since", "yesterday"), "2026-03-31"),
        (one("created_at", "days", 10**9), "36,500"),
        (one("stale", "is", "perhaps"), "yes or no"),
        (one("parent", "is", "x"), "id of a pair"),
        (one("question", "contains", " "), "1 to 500"),
        (one("question", "contains", "x" * 501), "1 to 500"),
        ({"all": [], "any": []}, "one of all, any and not"),
        ({"all": "status"}, "one of all, any and not"),
        (["status"], "neither a condition nor a group"),
        ({"all": [one("stale", "is", True)] * (CONDITIONS + 1)}, "at most"),
    ],
)
def test_what_is_no_filter_is_refused_in_words(tree, said):
    with pytest.raises(FilterError, match=said):
        filter_read(tree)


@pytest.mark.parametrize("text", ["{", "[[[[", "null", '"x"', "[" * 100_000])
def test_a_broken_address_is_refused(text):
    with pytest.raises(FilterError):
        filter_parse(text)


def test_depth_has_an_end():
    tree = one("stale", "is", True)
    for _ in range(DEPTH):
        tree = {"all": [tree]}
    with pytest.raises(FilterError, match="deep"):
        filter_read(tree)


def test_it_travels_in_an_address_and_comes_back_the_same():
    tree = {"all": [one("stale", "is", True), {"any": [one("topic", "is", "Größe"), {"not": one("tag", "set")}]}]}
    group = filter_read(tree)
    assert filter_parse(filter_text(group)) == group and json.loads(filter_text(group)) == tree
    assert filter_text(EVERYTHING) == "" and filter_parse(" ") == EVERYTHING
    assert filter_read(one("stale", "is", 1)) == Group("all", (Condition("stale", "is", True),))


def test_it_is_said_in_words(project, owner, pairs, version):
    tree = {
        "all": [
            one("status", "is", "APPROVED"),
            {"any": [one("topic", "is", "Pumps"), one("tag", "empty")]},
            {"not": one("stale", "is", True)},
        ]
    }
    assert filter_words(project, tree) == "Status is Approved and (Topic is Pumps or Tag is not set) and not (Document has changed: yes)"
    assert filter_words(project, one("document", "is", str(version.document_id))) == "Document is pumps.md"
    assert filter_words(project, one("created_by", "is", str(owner.pk))) == "Made by person is Olivia"
    assert filter_words(project, one("finding", "is", "exact")) == "Finding of the last quality report is Exact copies"
    assert filter_words(project, one("question", "contains", "a b")) == "Question contains “a b”"
    assert filter_words(project, one("created_at", "days", 7)) == "Made within the last 7 days"
    assert filter_words(project, {}) == "All pairs"


def test_choices_are_those_of_the_project(project, pairs, owner):
    choices = choices_of(project, FIELDS)
    assert choices["tag"] == [("safety", "safety")] and choices["topic"] == [("Pumps", "Pumps")]
    assert choices["shape"] == [("free", "Free"), ("list", "List")] and choices["created_by"] == [(str(owner.pk), "Olivia")]
    assert "question" not in choices


# --- kept by name ---


def test_a_filter_is_ones_own_until_it_is_shared(project, owner, reviewer):
    saved = filter_create(project=project, by=owner, name=" To  check ", tree=one("stale", "is", True))
    assert saved.name == "To check" and not saved_filters(project, reviewer)
    filter_change(saved=saved, by=owner, name="Old documents", shared=True)
    assert [str(one) for one in saved_filters(project, reviewer)] == ["Old documents"]
    with pytest.raises(PairError, match="Olivia's"):
        filter_change(saved=saved, by=reviewer, name="Mine", shared=True)
    with pytest.raises(PairError, match="Olivia's"):
        filter_delete(saved=saved, by=reviewer)
    filter_delete(saved=saved, by=owner)
    assert not SavedFilter.objects.exists()


def test_a_name_is_taken_once_a_person(project, owner, reviewer):
    tree = one("stale", "is", True)
    filter_create(project=project, by=owner, name="A", tree=tree)
    filter_create(project=project, by=reviewer, name="A", tree=tree)
    other = filter_create(project=project, by=owner, name="B", tree=tree)
    for attempt in (
        lambda: filter_create(project=project, by=owner, name="A", tree=tree),
        lambda: filter_change(saved=other, by=owner, name="A", shared=False),
        lambda: filter_create(project=project, by=owner, name=" ", tree=tree),
        lambda: filter_create(project=project, by=owner, name="C", tree={}),
    ):
        with pytest.raises(PairError):
            attempt()
    with pytest.raises(FilterError):
        filter_create(project=project, by=owner, name="D", tree=one("password", "is", "x"))
    assert SavedFilter.objects.count() == 3


def test_conversations_are_looked_through_whole(project, make_pair):
    pair = make_pair("Can it?", "No.")
    turns = [("user", "Can it?"), ("assistant", "What?"), ("user", "A fortnight."), ("assistant", "No.")]
    Pair.objects.filter(pk=pair.pk).update(**derived([{"role": role, "content": content} for role, content in turns]))
    assert pairs_matching(project, one("any", "contains", "fortnight")).get() == pair
