"""RAFT rows from pairs: their passages are gathered by a worker, then a run puts the rows together."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from pydantic import ValidationError

from curation.models import Pair
from curation.services.contexts import MOST, contexts_write
from curation.services.writing import PairError
from engine import registry
from projects import audit
from projects.models import Project, User
from retrieval.stores import StoreError
from runs.models import Run
from runs.services import RunError, run_create

log = logging.getLogger(__name__)

STAGE = "make_raft"
SILENT = 300  # seconds after which a gathering that says nothing counts as gone


@dataclass(frozen=True)
class Gathering:
    """How far a worker is with the passages of a project's pairs. ``run``: the run it has led to; ``error``: why there is none."""

    done: int = 0
    total: int = 0
    run: str = ""
    error: str = ""

    @property
    def under_way(self) -> bool:
        return not self.run and not self.error


def gathering_of(project: Project) -> Gathering | None:
    """The latest gathering, None where there was none lately."""
    kept = cache.get(_key(project))
    return Gathering(**kept) if kept else None


def raft_pairs(pairs: QuerySet[Pair]) -> QuerySet[Pair]:
    """Those of ``pairs`` that RAFT rows can be made from: with a source, and no such row themselves."""
    return pairs.exclude(sources=[]).exclude(shape__in=["raft", "unanswerable"])


def raft_start(*, project: Project, by: User, pairs: QuerySet[Pair], params: Mapping[str, Any]) -> int:
    """Have the passages of ``pairs`` gathered and rows made of them; how many pairs there are.

    Raises ``PairError`` where there are none or another gathering is at work, ``RunError`` for wrong parameters.
    """
    now = gathering_of(project)
    if now and now.under_way:
        raise PairError("Passages are being gathered already. Wait until that is done.")
    _check(params)
    ids = [str(pk) for pk in raft_pairs(pairs).order_by("pk").values_list("pk", flat=True)[:MOST]]
    if not ids:
        raise PairError("None of these pairs has a source. Choose pairs that were made from documents.")
    _tell(project, Gathering(0, len(ids)))
    audit.record(project, by, "raft.start", f"{len(ids)} pairs")
    transaction.on_commit(lambda: _enqueue(project, by, ids, dict(params)))
    return len(ids)


def raft_run(*, project: Project, by: User | None, pairs: Sequence[str], params: Mapping[str, Any]) -> Run | None:
    """Called by a worker: gather, then start the run. What goes wrong is told on the page."""
    total = len(pairs)
    try:
        contexts = contexts_write(
            project=project,
            pairs=Pair.objects.filter(pk__in=[UUID(pk) for pk in pairs]),
            distractors=int(params.get("distractors", 3)),
            tick=lambda done, of: _tell(project, Gathering(done, of)),
        )
        run = run_create(project=project, stage=STAGE, params=params, inputs={"contexts": contexts}, by=by, title="RAFT rows")
    except (StoreError, RunError) as error:
        _tell(project, Gathering(0, total, error=str(error)))
        return None
    except Exception:
        log.exception("Gathering passages for project %s", project.pk)
        _tell(project, Gathering(0, total, error="Something went wrong while gathering passages. The worker's log has the details."))
        return None
    _tell(project, Gathering(total, total, run=str(run.pk)))
    return run


def _check(params: Mapping[str, Any]) -> None:
    """Judge the parameters now, not when the passages have been gathered."""
    try:
        registry.get(STAGE).params.model_validate(dict(params))
    except ValidationError as error:
        raise RunError("Some settings are not right.", {str(item["loc"][0]): item["msg"] for item in error.errors()}) from error


def _enqueue(project: Project, by: User, ids: list[str], params: dict[str, Any]) -> None:
    from curation.tasks import curation_raft

    try:
        curation_raft.apply_async([project.pk, by.pk, ids, params], queue="default", retry=False)
    except Exception as error:  # kombu and redis raise their own kinds
        log.warning("The workers could not be told to gather passages: %s", error)
        _tell(project, Gathering(0, len(ids), error="The workers cannot be reached. Try again in a moment."))


def _key(project: Project) -> str:
    return f"raft:{project.pk}"


def _tell(project: Project, gathering: Gathering) -> None:
    cache.set(_key(project), asdict(gathering), SILENT)
