"""Retrieved contexts for RAFT: the passage that holds the evidence, and distractors that do not answer."""

import json

import pytest

from curation.models import Pair
from curation.services.contexts import contexts_write
from retrieval.embedding import EmbedderAway
from retrieval.models import Chunk
from runs.artifacts import artifact_path
from tests.retrieval.conftest import chunks_artifact, embedder, library, read, uploaded  # noqa: F401 (fixtures)

pytestmark = pytest.mark.django_db


def lines(artifact):
    return [json.loads(line) for line in (artifact_path(artifact) / "contexts.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture
def asked(project, library, make_pair):  # noqa: F811
    """A question whose evidence stands in the middle of a passage."""
    version = next(one for one in library if one.document.name == "yield.md")
    start = version.text().index("resumes the execution")
    source = {"document": str(version.document_id), "version": str(version.pk), "page": 1, "start": start, "end": start + 21}
    source["evidence"] = version.text()[start : start + 21]
    return make_pair("What does generator.send do?", "It resumes the execution.", sources=[source], document_id=version.document_id)


def test_the_oracle_holds_the_evidence_and_no_distractor_does(project, asked, embedder):  # noqa: F811
    artifact = contexts_write(project=project, pairs=Pair.objects.all(), distractors=3)
    (line,) = lines(artifact)
    assert line["pair"] == str(asked.pk) and "resumes the execution" in line["oracle"]["text"]
    assert len(line["distractors"]) >= 1 and all("resumes the execution" not in passage["text"] for passage in line["distractors"])
    oracle = Chunk.objects.get(version=line["oracle"]["version"], start=line["oracle"]["start"])
    assert oracle.text == line["oracle"]["text"] and artifact.facts == {"pairs": 1, "left_out": 0, "mode": "hybrid"}


def test_without_an_embedder_passages_are_found_by_their_words(project, asked, monkeypatch):
    def away(texts):
        raise EmbedderAway("gone")

    monkeypatch.setattr("curation.services.contexts.embed", away)
    artifact = contexts_write(project=project, pairs=Pair.objects.all(), distractors=3)
    assert artifact.facts["mode"] == "keyword" and lines(artifact)[0]["oracle"]["text"]


def test_a_pair_without_a_passage_is_left_out_and_counted(project, asked, make_pair, embedder):  # noqa: F811
    make_pair("Written by hand?")
    gone = {**asked.sources[0], "start": 10**6, "end": 10**6 + 5}
    make_pair("From what is gone?", sources=[gone])
    told = []
    artifact = contexts_write(project=project, pairs=Pair.objects.all(), distractors=3, tick=lambda *at: told.append(at))
    assert artifact.facts == {"pairs": 1, "left_out": 1, "mode": "hybrid"} and told[-1] == (2, 2)
