"""What curation keeps of a document's own words goes when the document does."""

from collections.abc import Collection
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path
from uuid import UUID

from django.db.models import Q, TextField
from django.db.models.functions import Cast

from curation.models import Pair
from projects.models import Project
from retrieval.batches import batched
from retrieval.jsonl import Row, write_rows
from retrieval.services.rewriting import artifact_without
from runs.models import Artifact

PAIRS_FILE = "pairs.jsonl"


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
        artifact_without(artifact, gone, listed=PAIRS_FILE, write=_without)


def _without(folder: Path, new: Path, rows: list[Row], held: set[str]) -> None:
    write_rows(new / PAIRS_FILE, [row for row in rows if row["version"] not in held])
