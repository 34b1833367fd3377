"""Pairs made from documents by a run, and taking them in."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.db import transaction

from curation.batches import batches
from curation.chunks import chunks_ensure
from curation.documents import version_texts
from curation.models import Origin, Pair
from curation.services.writing import PairError, derived
from curation.sources import Source
from projects import audit
from projects.models import Project, User
from projects.services import project_touch
from runs.artifacts import artifact_path
from runs.models import Artifact, Run
from runs.services import run_create

STAGE = "extract_pairs"


def pairs_generate(*, project: Project, by: User | None, params: Mapping[str, Any] | None = None) -> Run:
    """A run that makes pairs from the project's documents. Raises ``PairError`` without documents, ``RunError`` for wrong parameters."""
    chunks = chunks_ensure(project)
    if chunks is None:
        raise PairError("There are no documents to make pairs from. Upload some, and let them be read first.")
    return run_create(project=project, stage=STAGE, params=params or {}, inputs={"chunks": chunks}, by=by, title="Generate pairs")


def pairs_take_in(artifact: Artifact) -> dict[str, int]:
    """Bring a ``pairs`` artifact into the table, in batches of one transaction each. Idempotent: what is there stays as it is.

    A row counts only if its evidence stands in the document at its offsets, and its question is new to the project.
    """
    project = artifact.project
    assert project is not None
    texts = version_texts(project)
    counts = {"new": 0, "known": 0, "refused": 0}
    for rows in batches(_rows(artifact_path(artifact) / "pairs.jsonl")):
        pairs = [_pair(row, artifact) for row in rows if _stands(row, texts)]
        fresh = {pair.question_hash: pair for pair in reversed(pairs)}  # of two with the same question the first counts
        with transaction.atomic():
            known = set(Pair.objects.filter(project=project, question_hash__in=fresh).values_list("question_hash", flat=True))
            new = [pair for key, pair in fresh.items() if key not in known]
            # somebody may write the same question between the look and the insert: theirs stands
            Pair.objects.bulk_create(reversed(new), ignore_conflicts=True)
        counts["new"] += len(new)
        counts["known"] += len(pairs) - len(new)
        counts["refused"] += len(rows) - len(pairs)
    if counts["new"] or counts["refused"]:
        by = artifact.produced_by.created_by if artifact.produced_by else None
        audit.record(project, by, "pairs.take_in", f"run {artifact.produced_by_id}", after=counts)
        project_touch(project)
    return counts


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _stands(row: dict[str, Any], texts: Callable[[str], str]) -> bool:
    source = Source.from_dict(row)
    return bool(row["question"].strip() and row["answer"].strip()) and source.holds_in(texts(source.version))


def _pair(row: dict[str, Any], artifact: Artifact) -> Pair:
    source = Source.from_dict(row)
    return Pair(
        project=artifact.project,
        **derived(row["question"].strip(), row["answer"].strip()),
        shape=row["shape"][:40],
        sources=[source.as_dict()],
        document_id=source.document,
        version_id=source.version,
        origin=Origin.GENERATED,
        artifact=artifact,
        created_by=artifact.produced_by.created_by if artifact.produced_by else None,
    )
