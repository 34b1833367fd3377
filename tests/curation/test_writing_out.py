"""Pairs written out for a run: what each line says, and that it does not take a query a pair."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from curation.models import Pair, PairStatus, Tag
from curation.services.writing_out import pair_rows
from engine import manifest
from engine.lib.pair_rows import PairRow
from projects.models import Project
from runs.artifacts import artifact_path
from tests.curation.conftest import make_document, text_with

pytestmark = pytest.mark.django_db


def lines(artifact: Any, name: str = "pairs.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (artifact_path(artifact) / name).read_text("utf-8").splitlines()]


def test_it_writes_a_line_a_pair_that_reads_back_as_a_row(project: Project, make_pair: Callable[..., Pair]) -> None:
    version = make_document(project, "guide.md", text_with(40, "the guide"))
    first = make_pair("What is it?", version=version, topic="basics", status=PairStatus.APPROVED)
    first.tags.add(Tag.objects.create(project=project, name="hard"))
    make_pair("And this?", parent=first)
    artifact = pair_rows(project, Pair.objects.all())
    manifest.verify(artifact_path(artifact))
    found = {row["id"]: row for row in lines(artifact)}
    row = found[str(first.pk)]
    assert (row["status"], row["topic"], row["tags"], row["document"]) == ("APPROVED", "basics", ["hard"], str(version.document_id))
    assert row["sources"][0]["evidence"] in row["context"] and len(row["context"]) > 300
    child = next(row for row in found.values() if row.get("parent"))
    assert child["parent"] == str(first.pk) and "context" not in child
    assert [PairRow.from_dict(row).question for row in found.values()]
    assert artifact.facts["pairs"] == 2


def test_evidence_that_no_longer_stands_in_its_document_is_the_context_itself(project: Project, make_pair: Callable[..., Pair]) -> None:
    version = make_document(project, "guide.md", text_with(4, "the guide"))
    pair = make_pair("What is it?", version=version)
    version.text_path.write_text("Something else entirely.", "utf-8")
    row = lines(pair_rows(project, Pair.objects.all()))[0]
    assert row["context"] == pair.sources[0]["evidence"]


def test_pairs_of_another_project_are_left_out_and_splits_are_written_beside(project: Project, make_pair: Callable[..., Pair]) -> None:
    from projects.services import project_create

    other = project_create(by=project.memberships.first().user, name="Other")
    here, there = make_pair("Here?"), make_pair("There?")
    Pair.objects.filter(pk=there.pk).update(project=other)
    rows = lines(pair_rows(project, Pair.objects.all(), splits={str(here.pk): "test"}))
    assert [(row["id"], row["split"]) for row in rows] == [(str(here.pk), "test")]


def test_the_number_of_queries_does_not_grow_with_the_pairs(project: Project, make_pair: Callable[..., Pair]) -> None:
    version = make_document(project, "guide.md", text_with(40, "the guide"))

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            pair_rows(project, Pair.objects.all())
        return len(caught)

    for number in range(3):
        make_pair(f"Question {number}?", version=version)
    few = queries()
    for number in range(3, 60):
        make_pair(f"Question {number}?", version=version)
    assert queries() == few
