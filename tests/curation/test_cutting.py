import json

import pytest

from curation.models import DatasetVersion, Immutable, Pair, PairStatus
from curation.selectors.datasets import checks_before_training
from curation.services import DatasetError, dataset_version_cut
from engine import manifest
from projects.services import project_delete
from runs.artifacts import artifact_path
from tests.curation.conftest import make_document, text_with

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
