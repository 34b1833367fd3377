"""What curation keeps of a document's own words goes when the document does."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path
from uuid import UUID

from django.db.models import Q, TextField
from django.db.models.functions import Cast

from curation.models import Pair
from engine.lib.pair_rows import PAIRS_FILE
from projects.models import Project
from retrieval.batches import batched
from retrieval.jsonl import Row, read_rows, write_rows
from retrieval.services.rewriting import artifact_without
from runs.artifacts import artifact_erase, artifact_path
from runs.models import Artifact

WRITTEN_OUT = {"pair-rows": PAIRS_FILE, "contexts": "contexts.jsonl"}  # kind → its file


def evidence_erase(*, project: Project, versions: Collection[UUID]) -> None:
    """Take the words of ``versions`` out of the sources of pairs, and their rows out of what runs made. Idempotent.

    Where the evidence stood stays, for the lineage of what was trained on the pair; so do question and answer, which people have worked on.
    """
    gone = {str(version) for version in versions}
    if not gone:
        return
    drawn_on = reduce(or_, (Q(told__contains=version) for version in gone))  # any of a pair's sources, not the first alone
    pairs = Pair.objects.filter(project=project).annotate(told=Cast("sources", TextField())).filter(drawn_on)
    for keys in batched(list(pairs.values_list("pk", flat=True))):
        some = list(Pair.objects.filter(pk__in=keys).only("sources"))
        for pair in some:
            left = [replace(source, evidence="") if source.version in gone else source for source in pair.source_list]
            pair.sources = [source.as_dict() for source in left]
        Pair.objects.bulk_update(some, ["sources"])
    for artifact in Artifact.objects.filter(project=project, kind="pairs"):
        artifact_without(artifact, gone, listed=PAIRS_FILE, write=_without, of=versions_in)
    # written out for a run, with passages around the evidence: worth nothing once they are not whole
    for artifact in Artifact.objects.filter(project=project, kind__in=WRITTEN_OUT, ready=True):
        if any(version in gone for row in _rows(artifact) for version in versions_in(row)):
            artifact_erase(artifact)


def versions_in(row: Row) -> list[str]:
    """Which versions of documents a line of an artifact draws on: `extract_pairs` names one, others list sources, RAFT its passages."""
    places = row["sources"] if "sources" in row else [row.get("oracle"), *row.get("distractors", [])] if "oracle" in row else [row]
    return [str(place["version"]) for place in places if isinstance(place, dict) and place.get("version")]


def _rows(artifact: Artifact) -> Iterator[Row]:
    path = artifact_path(artifact) / WRITTEN_OUT[artifact.kind]
    return read_rows(path) if path.is_file() else iter(())


def _without(folder: Path, new: Path, rows: list[Row], held: set[str]) -> None:
    write_rows(new / PAIRS_FILE, [row for row in rows if not held.intersection(versions_in(row))])
