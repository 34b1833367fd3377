"""The rows of a ``pairs`` artifact as a page shows them before they are taken in."""

from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from engine.lib.pair_rows import PAIRS_FILE, PairRow, RowError
from retrieval.jsonl import read_rows
from runs.artifacts import artifact_path
from runs.models import Artifact

MOST = 50


@dataclass(frozen=True)
class Shown:
    """A pair with the evidence it rests on. ``support`` as a percentage, None where nothing was to be supported."""

    question: str
    answer: str
    shape: str
    difficulty: str
    evidence: str
    document: str
    page: int | None
    support: int | None


def rows_shown(artifact: Artifact, names: dict[UUID, str], most: int = MOST) -> list[Shown]:
    """The first ``most`` rows; ``names`` are those of the project's documents."""
    texts = {str(key): name for key, name in names.items()}
    found = []
    for line in islice(read_rows(artifact_path(artifact) / PAIRS_FILE), most):
        try:
            found.append(_shown(PairRow.from_dict(line), texts))
        except (RowError, KeyError, TypeError):
            continue
    return found


def _shown(row: PairRow, names: dict[str, str]) -> Shown:
    source = row.sources[0] if row.sources else {}
    support = row.extra.get("support")
    return Shown(
        question=row.question,
        answer=row.answer,
        shape=row.shape,
        difficulty=row.difficulty,
        evidence=str(source.get("evidence", "")),
        document=names.get(str(source.get("document")), "a deleted document"),
        page=source.get("page"),
        support=round(100 * support) if isinstance(support, int | float) else None,
    )
