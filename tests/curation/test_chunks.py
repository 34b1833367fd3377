"""The chunks a generating run reads are those of the documents as they are today."""

import json
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from curation.chunks import chunks_ensure
from curation.services import pairs_generate
from curation.services.gating import gate_start
from engine import manifest
from retrieval.models import DocumentVersion
from retrieval.services.deleting import documents_erase
from runs.artifacts import artifact_path, artifact_register
from runs.models import Artifact
from tests.curation.conftest import make_document, text_with

pytestmark = pytest.mark.django_db


def read(project, *versions: DocumentVersion, embedder: str = "one") -> Artifact:
    """The artifact of a run that read ``versions``: two chunks each, vectors that tell them apart."""
    folder = Path(settings.ARTIFACT_ROOT) / f"read-{Artifact.objects.count()}"
    (folder / "texts").mkdir(parents=True)
    documents, chunks, vectors = [], [], []
    for version in versions:
        text = version.text()
        (folder / "texts" / f"{version.pk}.txt").write_text(text, "utf-8")
        ids = {"version": str(version.pk)}
        documents.append({"id": str(version.document_id), **ids, "status": "ok", "text_file": f"texts/{version.pk}.txt"})
        for ordinal, (start, end) in enumerate([(0, 10), (10, 20)]):
            chunks.append(
                {
                    "document": str(version.document_id),
                    **ids,
                    "ordinal": ordinal,
                    "text": text[start:end],
                    "start": start,
                    "end": end,
                }
            )
            vectors.append([len(text), ordinal])
    for name, rows in (("documents", documents), ("chunks", chunks)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    np.save(folder / "vectors.npy", np.array(vectors, dtype="float32"))
    artifact = artifact_register(project=project, kind="chunks", folder=folder, facts={"embedder": embedder})
    DocumentVersion.objects.filter(pk__in=[version.pk for version in versions]).update(artifact=artifact)
    return artifact


def lines(artifact: Artifact, name: str) -> list[dict]:
    return [json.loads(line) for line in (artifact_path(artifact) / name).read_text("utf-8").splitlines()]


def test_nothing_was_read(project):
    make_document(project, "unread.md", "text")
    assert chunks_ensure(project) is None


def test_what_one_run_read_is_taken_as_it_is(project):
    artifact = read(project, make_document(project, "a.md", text_with(3, "a")), make_document(project, "b.md", text_with(4, "b")))
    assert chunks_ensure(project) == artifact


def test_what_several_runs_read_is_put_together(project):
    first = read(project, make_document(project, "a.md", text_with(3, "a")))
    second = read(project, make_document(project, "b.md", text_with(4, "b")))
    whole = chunks_ensure(project)
    assert len(lines(whole, "documents.jsonl")) == 2
    assert len(lines(whole, "chunks.jsonl")) == len(np.load(artifact_path(whole) / "vectors.npy")) == 4
    assert whole.facts["taken_from"] == sorted([str(first.pk), str(second.pk)]) and whole.facts["embedder"] == "one"
    assert chunks_ensure(project) == whole  # not once more for every run that reads it
    manifest.verify(artifact_path(whole))
    for row in lines(whole, "chunks.jsonl"):
        text = (artifact_path(whole) / "texts" / f"{row['version']}.txt").read_text("utf-8")
        assert text[row["start"] : row["end"]] == row["text"]


def test_vectors_of_several_models_are_not_put_together(project):
    erased = make_document(project, "a.md", text_with(3, "a"))
    read(project, erased)
    read(project, make_document(project, "b.md", text_with(4, "b")), embedder="another")
    whole = chunks_ensure(project)
    assert len(lines(whole, "chunks.jsonl")) == 4 and "embedder" not in whole.facts
    assert not (artifact_path(whole) / "vectors.npy").exists()
    documents_erase(project, [erased.document])
    assert len(lines(whole, "chunks.jsonl")) == 2


def test_a_deleted_document_is_left_out(project):
    kept, gone = make_document(project, "a.md", text_with(3, "a")), make_document(project, "b.md", text_with(4, "b"))
    read(project, kept, gone)
    gone.document.deleted_at = gone.created_at
    gone.document.save()
    assert {row["version"] for row in lines(chunks_ensure(project), "chunks.jsonl")} == {str(kept.pk)}


def test_the_run_gets_them_as_its_input(project, owner):
    artifact = read(project, make_document(project, "a.md", text_with(3, "a")))
    run = pairs_generate(project=project, by=owner, params={"total": 50})
    assert run.stage == "extract_pairs" and run.params["total"] == 50
    assert run.inputs.get().artifact == artifact


def test_the_gate_gets_them_to_see_what_has_no_pair(project, owner, make_pair):
    artifact = read(project, make_document(project, "a.md", text_with(3, "a")))
    make_pair("What?")
    run = gate_start(project=project, by=owner, tree={"all": []})
    assert run.inputs.get(role="chunks").artifact == artifact
