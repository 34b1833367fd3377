"""Which rows of an import an earlier run has brought in already, from the same uploaded file."""

import json
from hashlib import blake2b

from curation.models import Origin, Pair
from engine.lib.pair_rows import PAIRS_FILE
from retrieval.jsonl import Row, read_rows
from runs.artifacts import artifact_path
from runs.models import Artifact

DIGEST = 16  # bytes


def imported_before(artifact: Artifact) -> set[bytes]:
    """The ``row_digest`` of each row that earlier runs over the file of ``artifact``'s run made, and whose pair is there.

    A row names the line it comes from, so a question that stands twice in the file counts twice; and a row that reads differently, because
    the file is read with other settings, is another row. Empty for what is no import, and for the first run over a file.
    """
    run = artifact.produced_by
    if run is None or artifact.facts.get("origin") != Origin.IMPORTED:
        return set()
    files = run.inputs.filter(role="file").values("artifact")
    runs = Artifact.objects.filter(project=artifact.project, kind="pairs", produced_by__inputs__artifact__in=files)
    found = set()
    for earlier in runs.exclude(pk=artifact.pk):
        path = artifact_path(earlier) / PAIRS_FILE
        there = set(Pair.objects.filter(artifact=earlier).values_list("artifact_row", flat=True))
        if there and path.is_file():
            found |= {row_digest(row) for number, row in enumerate(read_rows(path), start=1) if number in there}
    return found


def row_digest(row: Row) -> bytes:
    return blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=DIGEST).digest()
