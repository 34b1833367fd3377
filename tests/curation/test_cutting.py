import json
import uuid

import pytest

from curation.filters import FilterError
from curation.models import DatasetVersion, Immutable, Pair, PairStatus, PairTag, Response, ResponseState
from curation.selectors.datasets import checks_before_training
from curation.services import DatasetError, dataset_version_cut
from curation.services.rehearsing import Rehearsal
from curation.services.tagging import tags_ensure
from curation.split_index import planned_split
from engine import manifest
from projects.models import AuditEvent
from projects.services import project_delete
from runs.artifacts import artifact_path
from tests.curation.conftest import make_document, report_of, text_with

pytestmark = pytest.mark.django_db
SPLITS = ("train", "validation", "test")


def rows(version: DatasetVersion, split: str) -> list[dict]:
    lines = (artifact_path(version.artifact) / f"{split}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_it_writes_every_approved_pair_once(project, owner, approved, make_pair):
    make_pair("Not approved?")
    version = dataset_version_cut(project=project, by=owner)
    ids = [row["id"] for split in SPLITS for row in rows(version, split)]
    assert sorted(ids) == sorted(str(pair.pk) for pair in approved)
    assert version.counts == {split: len(rows(version, split)) for split in SPLITS}
    row = rows(version, "test")[0]
    assert set(row) == {"id", "messages", "sources", "shape"}
    assert set(row["sources"][0]) == {"document", "version", "page", "start", "end"}


def test_no_document_is_in_two_splits(project, owner, approved):
    version = dataset_version_cut(project=project, by=owner)
    documents = [{source["document"] for row in rows(version, split) for source in row["sources"]} for split in SPLITS]
    assert all(documents)
    assert not (documents[0] & documents[1] or documents[0] & documents[2] or documents[1] & documents[2])
    assert [set(version.documents[split]) for split in SPLITS] == documents


def test_the_same_pairs_and_seed_give_the_same_hash(project, owner, approved):
    first = dataset_version_cut(project=project, by=owner, seed=5)
    second = dataset_version_cut(project=project, by=owner, seed=5)
    other = dataset_version_cut(project=project, by=owner, seed=6)
    assert (first.number, second.number, other.number) == (1, 2, 3)
    assert first.sha256 == second.sha256 != other.sha256
    assert manifest.verify(artifact_path(first.artifact)).sha256 == first.sha256 == first.artifact.sha256


def test_the_same_pairs_taken_in_again_under_other_ids_are_split_alike(project, owner, approved):
    def asked(version: DatasetVersion) -> dict[str, list[str]]:
        return {split: [row["messages"][0]["content"] for row in rows(version, split)] for split in SPLITS}

    first = dataset_version_cut(project=project, by=owner)
    for pair in approved:
        Pair.objects.filter(pk=pair.pk).delete()
        pair.pk = uuid.uuid4()
        pair.save(force_insert=True)
    assert asked(dataset_version_cut(project=project, by=owner)) == asked(first)


def test_another_pair_gives_another_hash(project, owner, approved):
    first = dataset_version_cut(project=project, by=owner)
    Pair.objects.filter(pk=approved[0].pk).update(messages=[{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}])
    assert dataset_version_cut(project=project, by=owner).sha256 != first.sha256


def test_a_version_never_changes(project, owner, approved):
    version = dataset_version_cut(project=project, by=owner)
    version.seed = 99
    with pytest.raises(Immutable):
        version.save()
    with pytest.raises(Immutable):
        DatasetVersion.objects.filter(pk=version.pk).update(seed=99)
    Pair.objects.all().delete()
    assert DatasetVersion.objects.get().counts == version.counts
    manifest.verify(artifact_path(version.artifact))


def test_the_artifact_is_a_ready_dataset_of_the_project(project, owner, approved):
    artifact = dataset_version_cut(project=project, by=owner).artifact
    assert (artifact.kind, artifact.ready, artifact.project) == ("dataset", True, project)
    assert artifact.facts["counts"]["train"] > artifact.facts["counts"]["test"]


def test_it_says_that_nothing_is_approved(project, owner, make_pair):
    make_pair("Waiting?")
    with pytest.raises(DatasetError, match=r"No pair is approved yet\. Review the 1"):
        dataset_version_cut(project=project, by=owner)


def test_one_single_pair_is_said_to_be_too_few(project, owner, make_pair):
    make_pair("Alone?", status=PairStatus.APPROVED)
    with pytest.raises(DatasetError, match="1 approved pair is too few"):
        dataset_version_cut(project=project, by=owner)


def test_it_says_that_there_are_fewer_than_three_documents(project, owner, make_pair):
    for number in range(2):
        version = make_document(project, f"{number}.md", text_with(9, str(number)))
        for count in range(10):
            make_pair(f"Question {number} {count}?", version=version, status=PairStatus.APPROVED)
    with pytest.raises(DatasetError, match="at least three"):
        dataset_version_cut(project=project, by=owner)
    assert not DatasetVersion.objects.exists()


def test_an_empty_answer_is_said_before_training(project, owner, approved):
    Pair.objects.filter(pk=approved[0].pk).update(answer="", answer_length=0)
    with pytest.raises(DatasetError, match="empty answer"):
        dataset_version_cut(project=project, by=owner)


@pytest.mark.parametrize("fractions", [(0.5, 0.5, 0.5), (1, 0, 0), (0.9, 0.1)])
def test_shares_that_do_not_add_up_are_refused(project, owner, approved, fractions):
    with pytest.raises(DatasetError, match="100%"):
        dataset_version_cut(project=project, by=owner, fractions=fractions)


def test_the_checks_count_what_is_wrong(project, approved, make_pair):
    assert [check.count for check in checks_before_training(project)] == [0, 0, 0, 0, 0]
    Pair.objects.filter(pk=approved[0].pk).update(answer="", answer_length=0)
    make_pair("Long?", "x" * 9000, status=PairStatus.APPROVED)
    make_pair("Twin one?", "Twin.", status=PairStatus.APPROVED)
    make_pair("Twin two?", "Twin.", status=PairStatus.APPROVED)
    make_pair("Stale?", status=PairStatus.APPROVED, stale=True)
    counts = {check.title: check.count for check in checks_before_training(project)}
    assert counts == {
        "Enough pairs": 0,
        "Empty answers": 1,
        "Answers longer than the context": 1,
        "The same answer twice": 2,
        "From an older document": 1,
    }


def test_a_deleted_project_takes_pairs_and_versions_with_it(project, owner, approved):
    version = dataset_version_cut(project=project, by=owner)
    place = artifact_path(version.artifact)
    project_delete(project=project, by=owner)
    assert not Pair.objects.exists() and not DatasetVersion.objects.exists() and not place.exists()


def split_of(version: DatasetVersion) -> dict[str, str]:
    """Pair id → split."""
    return {row["id"]: split for split in SPLITS for row in rows(version, split)}


def facts(version: DatasetVersion) -> dict:
    return version.artifact.facts


# --- what is in a row ---


def test_a_row_keeps_what_describes_the_pair_and_the_worse_answer(project, owner, approved):
    pair = approved[0]
    tag = tags_ensure(project=project, names=["billing"])["billing"]
    PairTag.objects.create(pair=pair, tag=tag)
    worse = [{"role": "assistant", "content": "No idea."}]
    Pair.objects.filter(pk=pair.pk).update(
        topic="Money", language="en", difficulty="hard", rejected=worse, fork=1, extra={"ticket": 7}, shape="list"
    )
    version = dataset_version_cut(project=project, by=owner)
    row = next(row for split in SPLITS for row in rows(version, split) if row["id"] == str(pair.pk))
    assert {name: row[name] for name in ("topic", "language", "difficulty", "tags", "rejected", "fork", "extra", "shape")} == {
        "topic": "Money", "language": "en", "difficulty": "hard", "tags": ["billing"], "rejected": worse, "fork": 1,
        "extra": {"ticket": 7}, "shape": "list",
    }  # fmt: skip
    card = facts(version)
    assert (card["preference"], card["tags"], card["languages"]) == (1, {"billing": 1}, {"en": 1})


def test_the_pairs_of_a_filter_are_cut_whatever_their_status(project, owner, approved, make_pair):
    for number in range(12):
        make_pair(f"Imported {number}?", f"Answer {number}.", topic="chosen")
    tree = {"all": [{"field": "topic", "op": "is", "value": "chosen"}]}
    version = dataset_version_cut(project=project, by=owner, tree=tree)
    assert sum(version.counts.values()) == 12 and version.tree == tree
    assert facts(version)["review"]["not_approved"] == 12
    assert facts(version)["filter"] == "Topic is chosen"


def test_a_filter_that_matches_nothing_or_cannot_be_read_is_said(project, owner, approved):
    with pytest.raises(DatasetError, match="No pair matches this filter"):
        dataset_version_cut(project=project, by=owner, tree={"all": [{"field": "topic", "op": "is", "value": "none such"}]})
    with pytest.raises(FilterError):
        dataset_version_cut(project=project, by=owner, tree={"all": [{"field": "shoe size", "op": "is", "value": "9"}]})


# --- what stays together ---


@pytest.mark.parametrize("seed", range(5))
def test_pairs_of_two_documents_that_ask_the_same_stand_on_one_side(project, owner, approved, seed):
    first, second = approved[0], approved[-1]
    assert first.document_id != second.document_id
    Pair.objects.filter(pk=second.pk).update(question_hash=first.question_hash)
    version = dataset_version_cut(project=project, by=owner, seed=seed)
    sides = split_of(version)
    assert sides[str(first.pk)] == sides[str(second.pk)]
    assert facts(version)["twins"] == 2


@pytest.mark.parametrize("seed", range(5))
def test_pairs_of_two_documents_with_the_same_telling_answer_stand_on_one_side(project, owner, approved, seed):
    ends = [approved[0], approved[-1]]
    Pair.objects.filter(pk__in=[pair.pk for pair in ends]).update(answer="The statement binds the name in the scope around it.")
    sides = split_of(dataset_version_cut(project=project, by=owner, seed=seed))
    assert len({sides[str(pair.pk)] for pair in ends}) == 1


def test_an_answer_that_is_a_formula_ties_nothing_together(project, owner, approved):
    Pair.objects.filter(project=project).update(answer="That cannot be answered from the documents you have given me.")
    version = dataset_version_cut(project=project, by=owner)  # joined, all documents would be one
    assert facts(version)["twins"] == 0 and all(version.counts.values())


@pytest.mark.parametrize("seed", range(5))
def test_a_variant_without_a_source_stands_on_its_parents_side(project, owner, approved, make_pair, seed):
    variants = [make_pair(f"Variant {n}?", f"Said {n}.", parent=approved[n * 9], status=PairStatus.APPROVED) for n in range(9)]
    sides = split_of(dataset_version_cut(project=project, by=owner, seed=seed))
    assert [sides[str(variant.pk)] for variant in variants] == [sides[str(approved[n * 9].pk)] for n in range(9)]


def test_topics_are_on_every_side_and_the_card_says_how_evenly(project, owner, approved):
    for number, pair in enumerate(approved):
        Pair.objects.filter(pk=pair.pk).update(topic=f"topic {number % 3}")
    card = facts(dataset_version_cut(project=project, by=owner))
    assert set(card["topics"]) == {"topic 0", "topic 1", "topic 2"}
    assert all(all(row[split] for split in SPLITS) for row in card["topics"].values())
    assert {split: sum(row[split] for row in card["topics"].values()) for split in SPLITS} == card["counts"]
    assert 0 < card["balance"]["points"] < 10


# --- general data ---


@pytest.fixture
def general(project, make_pair):
    """Thirty pairs of general data, waiting for nobody, under a tag."""
    tag = tags_ensure(project=project, names=["general"])["general"]
    pairs = [make_pair(f"General question {number}?", f"General answer {number}.") for number in range(30)]
    PairTag.objects.bulk_create(PairTag(pair=pair, tag=tag) for pair in pairs)
    return tag


def test_general_data_is_rehearsed_in_the_training_split_alone(project, owner, approved, general):
    plain = dataset_version_cut(project=project, by=owner)
    version = dataset_version_cut(project=project, by=owner, rehearsal=Rehearsal(general, 10))
    wanted = round(plain.counts["train"] / 9)
    rehearsed = [row for row in rows(version, "train") if row.get("rehearsal")]
    assert len(rehearsed) == version.rehearsal == wanted > 5
    assert abs(len(rehearsed) / version.counts["train"] - 0.1) < 0.01
    assert version.counts == {**plain.counts, "train": plain.counts["train"] + wanted}
    assert not any(row.get("rehearsal") for split in ("validation", "test") for row in rows(version, split))
    assert facts(version)["rehearsal"] == {"rows": wanted, "percent": 10, "held_out": 0}  # too few to keep some apart
    again = dataset_version_cut(project=project, by=owner, rehearsal=Rehearsal(general, 10))
    assert again.sha256 == version.sha256 != plain.sha256


def test_of_much_general_data_some_is_kept_apart_to_look_at(project, owner, approved, general, make_pair):
    more = [make_pair(f"Another general question {number}?", f"Another answer {number}.") for number in range(18)]
    PairTag.objects.bulk_create(PairTag(pair=pair, tag=general) for pair in more)
    plain = dataset_version_cut(project=project, by=owner)
    version = dataset_version_cut(project=project, by=owner, rehearsal=Rehearsal(general, 10))
    apart = [row for row in rows(version, "validation") if row.get("rehearsal")]
    assert len(apart) == facts(version)["rehearsal"]["held_out"] == 12  # a quarter of 48
    assert version.counts["validation"] == plain.counts["validation"] + 12 == len(rows(version, "validation"))
    trained_on = {row["id"] for row in rows(version, "train") if row.get("rehearsal")}
    assert len(trained_on) == version.rehearsal == round(plain.counts["train"] / 9)
    assert not trained_on & {row["id"] for row in apart} and not any(row.get("rehearsal") for row in rows(version, "test"))


def test_general_data_kept_apart_is_not_trained_on_under_another_name(project, owner, approved, general, make_pair):
    more = [make_pair(f"Another general question {number}?", f"Another answer {number}.") for number in range(18)]
    PairTag.objects.bulk_create(PairTag(pair=pair, tag=general) for pair in more)
    Pair.objects.filter(tags=general).update(question_hash=more[0].question_hash)  # all ask the same
    with pytest.raises(DatasetError, match="can be rehearsed"):
        dataset_version_cut(project=project, by=owner, rehearsal=Rehearsal(general, 10))


def test_general_data_that_asks_a_test_question_or_was_rejected_is_not_rehearsed(project, owner, approved, general):
    plain = dataset_version_cut(project=project, by=owner)
    held_out = Pair.objects.get(pk=rows(plain, "test")[0]["id"])
    twin, turned_down = Pair.objects.filter(tags=general)[:2]
    Pair.objects.filter(pk=twin.pk).update(question_hash=held_out.question_hash)
    Pair.objects.filter(pk=turned_down.pk).update(status=PairStatus.REJECTED)
    version = dataset_version_cut(project=project, by=owner, rehearsal=Rehearsal(general, 50))
    ids = {row["id"] for row in rows(version, "train") if row.get("rehearsal")}
    assert len(ids) == 28 and not ids & {str(twin.pk), str(turned_down.pk)}


def test_approved_general_data_is_not_tested_on(project, owner, approved, general):
    Pair.objects.filter(tags=general).update(status=PairStatus.APPROVED)
    version = dataset_version_cut(project=project, by=owner, rehearsal=Rehearsal(general, 5))
    held_out = {row["id"] for split in ("validation", "test") for row in rows(version, split)}
    assert not held_out & {str(pk) for pk in Pair.objects.filter(tags=general).values_list("pk", flat=True)}


def test_a_tag_without_general_data_is_said(project, owner, approved):
    empty = tags_ensure(project=project, names=["empty"])["empty"]
    with pytest.raises(DatasetError, match="“empty” can be rehearsed") as refused:
        dataset_version_cut(project=project, by=owner, rehearsal=Rehearsal(empty, 10))
    assert refused.value.field == "rehearsal_tag" and not DatasetVersion.objects.exists()


# --- the quality gate ---


def test_a_failing_gate_forbids_the_cut(project, owner, engineer, approved):
    report_of(project, "fail")
    with pytest.raises(DatasetError, match=r"failed in 1 check.*ask an owner"):
        dataset_version_cut(project=project, by=engineer)
    with pytest.raises(DatasetError, match="ask an owner"):
        dataset_version_cut(project=project, by=engineer, override_reason="I want to")
    with pytest.raises(DatasetError, match="say why") as refused:
        dataset_version_cut(project=project, by=owner, override_reason="  ")
    assert refused.value.field == "override_reason" and not DatasetVersion.objects.exists()


def test_an_owner_cuts_all_the_same_and_the_reason_is_kept_everywhere(project, owner, approved):
    report = report_of(project, "fail")
    version = dataset_version_cut(project=project, by=owner, override_reason="A pilot: nobody will use it.")
    assert version.override_reason == facts(version)["override_reason"] == "A pilot: nobody will use it."
    assert (version.gate["verdict"], version.gate["id"]) == ("fail", str(report.pk))
    event = AuditEvent.objects.get(action="gate.override")
    assert (event.actor, event.target, event.after["reason"]) == (owner, "v1", "A pilot: nobody will use it.")


def test_a_reason_counts_only_where_the_gate_failed(project, owner, approved):
    report_of(project, "warn")
    version = dataset_version_cut(project=project, by=owner, override_reason="Left in the form")
    assert version.override_reason == "" and version.gate["verdict"] == "warn"
    assert not AuditEvent.objects.filter(action="gate.override").exists()


def test_the_last_result_is_frozen_with_whether_it_was_about_these_pairs(project, owner, approved):
    assert dataset_version_cut(project=project, by=owner).gate == {}
    report = report_of(project, "pass")
    version = dataset_version_cut(project=project, by=owner)
    assert version.gate["current"] is True and version.gate["checks"] == report.report["checks"]
    Pair.objects.filter(pk=approved[0].pk).update(revision=2)
    assert dataset_version_cut(project=project, by=owner).gate["current"] is False
    report.delete()
    assert DatasetVersion.objects.get(number=2).gate["verdict"] == "pass"


def test_a_failed_gate_still_forbids_after_the_pairs_were_changed(project, owner, engineer, approved):
    report_of(project, "fail")
    Pair.objects.filter(pk=approved[0].pk).update(revision=2)
    with pytest.raises(DatasetError, match="run it again"):
        dataset_version_cut(project=project, by=engineer)


# --- the same content, the same hash ---


def test_who_decided_and_what_the_gate_said_do_not_change_the_hash(project, owner, engineer, approved):
    first = dataset_version_cut(project=project, by=owner)
    Pair.objects.filter(project=project).update(decided_by=engineer)
    report_of(project, "pass")
    second = dataset_version_cut(project=project, by=engineer, licence="CC BY 4.0")
    assert first.sha256 == second.sha256
    assert facts(second)["licence"] == "CC BY 4.0" and facts(first)["licence"] == ""


def test_the_card_says_who_reviewed_without_naming_them(project, owner, member, approved):
    people = [member("reviewer"), member("annotator")]
    ids = [pair.pk for pair in approved]
    Pair.objects.filter(pk__in=ids[:60]).update(decided_by=people[0], edited=True)
    Pair.objects.filter(pk__in=ids[60:100]).update(decided_by=owner)
    Pair.objects.filter(pk__in=ids[100:]).update(decided_by_rule="evidence stands in the document")
    for pair in approved[:4]:
        for person in people:
            verdict = "bad" if (pair, person) == (approved[3], people[0]) else "good"
            Response.objects.create(pair=pair, user=person, messages=[], pair_revision=1, state=ResponseState.SUBMITTED, verdict=verdict)
    card = facts(dataset_version_cut(project=project, by=owner))
    rule = {"evidence stands in the document": len(ids) - 100}
    assert card["review"] == {"by_person": 100, "people": 2, "by_rule": rule, "not_approved": 0, "edited": 60}
    assert (card["agreement"]["pairs"], card["agreement"]["percent"]) == (4, 75.0)
    assert "@" not in json.dumps(card)


def test_the_planned_split_is_the_one_that_cutting_makes(project, owner, approved):
    for number, pair in enumerate(approved):
        Pair.objects.filter(pk=pair.pk).update(topic=f"topic {number % 3}")
    planned = planned_split(Pair.objects.filter(project=project, status=PairStatus.APPROVED))
    assert planned == split_of(dataset_version_cut(project=project, by=owner))
