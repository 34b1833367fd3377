"""The pages of dataset versions: cutting, looking, comparing, taking away."""

import io
import json
import zipfile

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalogue.selectors import base_models
from curation.models import DatasetVersion, Pair, PairStatus, PairTag, SavedFilter
from curation.services import dataset_version_cut
from curation.services.exporting import EXPORTS
from curation.services.tagging import tags_ensure
from engine.lib.pair_formats import FORMATS
from projects.models import AuditEvent
from runs.artifacts import artifact_erase
from runs.models import Run
from tests.curation.conftest import report_of

pytestmark = pytest.mark.django_db
SHARES = {"train": 75, "validation": 10, "test": 15, "seed": 7}


@pytest.fixture
def to(project):
    return lambda name, *args: reverse(f"curation:{name}", args=[project.slug, *args])


def text_of(response) -> str:
    return response.content.decode()


def queries(client, url) -> int:
    client.get(url)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert client.get(url).status_code == 200
    return len(seen)


# --- cutting ---


def test_an_engineer_cuts_a_version_and_comes_to_its_page(client_for, engineer, to, approved):
    response = client_for(engineer).post(to("dataset_cut"), SHARES | {"licence": "CC BY 4.0"}, follow=True)
    assert response.redirect_chain[-1][0] == to("dataset", 1)
    assert "CC BY 4.0" in text_of(response) and "Version 1 is cut." in text_of(response)


def test_a_saved_filter_of_ones_own_or_the_teams_is_cut_from(client_for, engineer, owner, project, to, approved, make_pair):
    for number in range(12):
        make_pair(f"Chosen {number}?", topic="chosen")
    tree = {"all": [{"field": "topic", "op": "is", "value": "chosen"}]}
    shared = SavedFilter.objects.create(project=project, by=owner, name="The chosen", tree=tree, shared=True)
    private = SavedFilter.objects.create(project=project, by=owner, name="Mine alone", tree=tree)
    page = text_of(client_for(engineer).get(to("datasets")))
    assert "The chosen" in page and "Mine alone" not in page
    assert client_for(engineer).post(to("dataset_cut"), SHARES | {"saved_filter": private.pk}).status_code == 422
    client_for(engineer).post(to("dataset_cut"), SHARES | {"saved_filter": shared.pk})
    assert sum(DatasetVersion.objects.get().counts.values()) == 12


def test_the_tables_filter_in_the_address_is_cut_from(client_for, engineer, to, approved, make_pair):
    for number in range(12):
        make_pair(f"Chosen {number}?", topic="chosen")
    asked = json.dumps({"all": [{"field": "topic", "op": "is", "value": "chosen"}]})
    assert "Topic is chosen" in text_of(client_for(engineer).get(to("datasets"), {"f": asked}))
    client_for(engineer).post(to("dataset_cut"), SHARES | {"f": asked})
    assert sum(DatasetVersion.objects.get().counts.values()) == 12


def test_a_broken_filter_in_the_address_is_said_and_what_was_typed_stays(client_for, engineer, to, approved):
    response = client_for(engineer).post(to("dataset_cut"), SHARES | {"f": '{"all": [', "licence": "Ours alone"})
    assert response.status_code == 422 and "cut short" in text_of(response) and "Ours alone" in text_of(response)


def test_general_data_is_chosen_by_its_tag(client_for, engineer, project, to, approved, make_pair):
    tag = tags_ensure(project=project, names=["general"])["general"]
    PairTag.objects.bulk_create(PairTag(pair=make_pair(f"General {number}?"), tag=tag) for number in range(30))
    asked = SHARES | {"rehearsal_percent": 10}
    refused = client_for(engineer).post(to("dataset_cut"), asked)
    assert refused.status_code == 422 and "Choose the tag" in text_of(refused)
    client_for(engineer).post(to("dataset_cut"), asked | {"rehearsal_tag": tag.pk})
    assert DatasetVersion.objects.get().rehearsal > 5
    assert "for rehearsal (10% asked for)" in text_of(client_for(engineer).get(to("dataset", 1)))


def test_where_there_is_general_data_a_fifth_is_offered(client_for, engineer, project, to, approved, make_pair):
    plain = client_for(engineer).get(to("datasets")).context["form"]
    assert plain["rehearsal_percent"].value() == 0
    tag = tags_ensure(project=project, names=["general"])["general"]
    PairTag.objects.create(pair=make_pair("General?"), tag=tag)
    form = client_for(engineer).get(to("datasets")).context["form"]
    assert (form["rehearsal_percent"].value(), form["rehearsal_tag"].value()) == (20, str(tag.pk))
    assert "rehearsal_model" not in form.fields


def test_a_base_model_writes_general_data_at_one_click(client_for, engineer, project, to, approved):
    state = next(state for state in base_models() if state.here)
    page = text_of(client_for(engineer).get(to("datasets")))
    assert "Have it write general data" in page and state.name in page
    response = client_for(engineer).post(to("dataset_rehearsal"), {"rehearsal_model": state.key})
    run = Run.objects.get(stage="make_rehearsal")
    assert response.url == run.get_absolute_url() and run.created_by == engineer
    assert run.inputs.get().role == "model"


def test_general_data_by_a_model_that_is_not_there_is_refused_in_words(client_for, engineer, project, to, approved):
    response = client_for(engineer).post(to("dataset_rehearsal"), {"rehearsal_model": "nobody"}, follow=True)
    assert "There is no base model" in text_of(response) and not Run.objects.filter(stage="make_rehearsal").exists()


def test_only_an_owner_is_asked_for_a_reason_where_the_gate_failed(client_for, engineer, owner, project, to, approved):
    report_of(project, "fail")
    reason = {"override_reason": "A pilot, nobody will use it."}
    page = text_of(client_for(engineer).get(to("datasets")))
    assert "The quality gate failed in 1 check." in page and "override_reason" not in page
    refused = client_for(engineer).post(to("dataset_cut"), SHARES | reason)
    assert refused.status_code == 422 and "ask an owner" in text_of(refused)
    assert "Cut all the same" in text_of(client_for(owner).get(to("datasets")))
    unsaid = client_for(owner).post(to("dataset_cut"), SHARES)
    assert unsaid.status_code == 422 and "say why" in text_of(unsaid)
    client_for(owner).post(to("dataset_cut"), SHARES | reason)
    page = text_of(client_for(owner).get(to("dataset", 1)))
    assert reason["override_reason"] in page and "Failed, overridden" in page
    assert AuditEvent.objects.get(action="gate.override").actor == owner


def test_a_gate_that_was_never_run_or_is_out_of_date_warns_only(client_for, engineer, project, to, approved, make_pair):
    page = text_of(client_for(engineer).get(to("datasets")))
    assert "has not looked at these pairs yet" in page and "Run the gate" in page
    report_of(project, "pass")
    page = text_of(client_for(engineer).get(to("datasets")))
    assert "The quality gate passed these pairs." in page and "Run the gate" not in page
    make_pair("A new one?", status=PairStatus.APPROVED)
    page = text_of(client_for(engineer).get(to("datasets")))
    assert "The pairs have changed since" in page and "Run the gate" in page
    assert client_for(engineer).post(to("dataset_cut"), SHARES).status_code == 302


# --- looking ---


def test_what_is_said_before_training_comes_after_the_page(client_for, viewer, to, approved, make_pair):
    make_pair("Stale?", status=PairStatus.APPROVED, stale=True)
    assert to("dataset_checks") in text_of(client_for(viewer).get(to("datasets")))
    checks = text_of(client_for(viewer).get(to("dataset_checks")))
    assert "From an older document" in checks and "problem=stale" in checks


def test_lists_and_pages_take_the_same_queries_with_twenty_versions(client_for, viewer, owner, project, to, approved):
    for seed in range(2):
        dataset_version_cut(project=project, by=owner, seed=seed)
    few = queries(client_for(viewer), to("datasets")), queries(client_for(viewer), to("dataset", 1))
    for seed in range(2, 20):
        dataset_version_cut(project=project, by=owner, seed=seed)
    many = queries(client_for(viewer), to("datasets")), queries(client_for(viewer), to("dataset", 1))
    assert few == many and max(many) < 40


def test_training_starts_from_the_version_whose_page_it_was_asked_on(client_for, engineer, viewer, owner, project, to, approved):
    first, second = (dataset_version_cut(project=project, by=owner, seed=seed) for seed in (1, 2))
    link = f"{reverse('training:start', args=[project.slug])}?dataset={first.artifact_id}"
    assert link.replace("&", "&amp;") in text_of(client_for(engineer).get(to("dataset", 1)))
    assert "Start training from it" not in text_of(client_for(viewer).get(to("dataset", 1)))
    form = client_for(engineer).get(link).context["form"]
    assert form.chosen_dataset() == first.artifact != second.artifact
    assert f'value="{first.artifact_id}" selected' in str(form["dataset"])


# --- comparing ---


@pytest.fixture
def two(project, owner, approved, make_pair):
    """Two versions: a pair edited, one rejected, one added, and another seed."""
    dataset_version_cut(project=project, by=owner, seed=1)
    words = [{"role": "user", "content": "Question?"}, {"role": "assistant", "content": "Quite another answer <b>."}]
    Pair.objects.filter(pk=approved[0].pk).update(messages=words)
    Pair.objects.filter(pk=approved[1].pk).update(status=PairStatus.REJECTED)
    make_pair("Brand new?", status=PairStatus.APPROVED)
    return dataset_version_cut(project=project, by=owner, seed=2)


def test_two_versions_are_compared(client_for, viewer, to, two):
    page = client_for(viewer).get(to("dataset_compare", 2, 1))
    counts = {tab["title"]: tab["count"] for tab in page.context["tabs"]}
    assert (counts["Added"], counts["Removed"], counts["Changed"]) == (1, 1, 1)
    changed = text_of(client_for(viewer).get(to("dataset_compare", 2, 1), {"kind": "changed"}))
    assert "<ins>" in changed and "&lt;b&gt;" in changed and "<b>." not in changed


def test_a_long_comparison_comes_in_pages(client_for, viewer, to, two):
    moved = client_for(viewer).get(to("dataset_compare", 2, 1), {"kind": "moved"}).context
    assert moved["page"].paginator.count > 20 and len(moved["rows"]) == 20
    second = client_for(viewer).get(to("dataset_compare", 2, 1), {"kind": "moved", "page": 2}).context
    assert not {row.difference.pair for row in moved["rows"]} & {row.difference.pair for row in second["rows"]}


def test_a_version_that_is_not_there_or_was_erased_is_not_compared(client_for, viewer, to, two):
    assert client_for(viewer).get(to("dataset_compare", 2, 9)).status_code == 404
    artifact_erase(DatasetVersion.objects.get(number=1).artifact)
    assert client_for(viewer).get(to("dataset_compare", 2, 1)).status_code == 404


# --- taking away ---


def body(response) -> bytes:
    return b"".join(response)


def test_the_whole_version_is_a_zip_with_its_card(client_for, viewer, owner, project, to, approved):
    version = dataset_version_cut(project=project, by=owner)
    response = client_for(viewer).get(to("dataset_zip", 1))
    assert f"{project.slug}-v1.zip" in response.headers["Content-Disposition"]
    archive = zipfile.ZipFile(io.BytesIO(body(response)))
    assert set(archive.namelist()) == {"README.md", "artifact.json", "card.json", "train.jsonl", "validation.jsonl", "test.jsonl"}
    assert archive.read("train.jsonl").count(b"\n") == version.counts["train"]
    assert archive.testzip() is None
    assert AuditEvent.objects.filter(action="dataset.download").count() == 1


@pytest.mark.parametrize("key", [key for key, one in EXPORTS.items() if one.extension == ".jsonl" and not one.preferences])
def test_a_split_comes_in_every_format_of_lines_and_reads_back_the_same(client_for, viewer, owner, project, to, approved, key):
    Pair.objects.filter(pk=approved[0].pk).update(topic="Money")
    version = dataset_version_cut(project=project, by=owner)
    lines = body(client_for(viewer).get(to("dataset_export", 1, "train", key))).decode().splitlines()
    back = [FORMATS[key].read(json.loads(line)) for line in lines]
    there = [json.loads(line) for line in body(client_for(viewer).get(to("dataset_download", 1, "train"))).splitlines()]
    assert len(back) == version.counts["train"]
    assert [row.messages for row in back] == [row["messages"] for row in there]
    assert [row.topic for row in back] == [row.get("topic", "") for row in there]


@pytest.mark.parametrize("key", ["csv", "excel", "parquet"])
def test_a_split_comes_as_a_table(client_for, viewer, owner, project, to, approved, key):
    dataset_version_cut(project=project, by=owner)
    response = client_for(viewer).get(to("dataset_export", 1, "test", key))
    content = body(response)
    assert content.startswith({"csv": b"\xef\xbb\xbf", "excel": b"PK", "parquet": b"PAR1"}[key]) or b"question" in content[:200]
    assert EXPORTS[key].extension in response.headers["Content-Disposition"]


def test_preference_pairs_come_alone_and_a_split_without_them_says_so(client_for, viewer, owner, project, to, approved):
    plain = dataset_version_cut(project=project, by=owner)
    refused = client_for(viewer).get(to("dataset_export", 1, "train", "preference"), follow=True)
    assert "no pair with a rejected answer" in text_of(refused)
    worse = [{"role": "assistant", "content": "Worse."}]
    ids = [row["id"] for row in map(json.loads, body(client_for(viewer).get(to("dataset_download", 1, "train"))).splitlines())]
    Pair.objects.filter(pk__in=ids[:3]).update(rejected=worse, fork=1)
    version = dataset_version_cut(project=project, by=owner)
    assert version.counts == plain.counts
    lines = body(client_for(viewer).get(to("dataset_export", 2, "train", "preference"))).decode().splitlines()
    assert [json.loads(line)["rejected"] for line in lines] == [worse] * 3


def test_an_erased_version_says_so_instead_of_a_download(client_for, viewer, owner, project, to, approved):
    artifact_erase(dataset_version_cut(project=project, by=owner).artifact)
    for url in (to("dataset_zip", 1), to("dataset_export", 1, "train", "csv")):
        assert "not on this machine any more" in text_of(client_for(viewer).get(url, follow=True))
    assert client_for(viewer).get(to("dataset_export", 1, "train", "nonsense")).status_code == 404


def test_the_card_is_markdown_that_words_of_people_cannot_break(client_for, viewer, owner, project, to, approved):
    ids = [pair.pk for pair in approved]
    Pair.objects.filter(pk__in=ids[:40]).update(topic="a | b\n# Heading <script>")
    Pair.objects.filter(pk__in=ids).update(decided_by=owner)
    report_of(project, "warn")
    dataset_version_cut(project=project, by=owner, licence="CC BY 4.0")
    card = text_of(client_for(viewer).get(to("dataset_card", 1)))
    assert "| train | " in card and "CC BY 4.0" in card and "(1 person): 100%" in card and "Passed with warnings." in card
    assert "a \\| b \\# Heading \\<script\\>" in card and "\n# Heading" not in card
    assert DatasetVersion.objects.get().sha256 in card and str(owner) not in card
