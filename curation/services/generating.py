"""Pairs made from documents by a run."""

from collections.abc import Mapping
from typing import Any

from curation.chunks import chunks_ensure
from curation.services.writing import PairError
from projects.models import Project, User
from runs.models import Run
from runs.services import run_create

STAGE = "extract_pairs"


def pairs_generate(*, project: Project, by: User | None, params: Mapping[str, Any] | None = None) -> Run:
    """A run that makes pairs from the project's documents. Raises ``PairError`` without documents, ``RunError`` for wrong parameters."""
    chunks = chunks_ensure(project)
    if chunks is None:
        raise PairError("There are no documents to make pairs from. Upload some, and let them be read first.")
    return run_create(project=project, stage=STAGE, params=params or {}, inputs={"chunks": chunks}, by=by, title="Generate pairs")
