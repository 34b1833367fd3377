"""The pairs that a change of many is about: their ids are read once, then changed in batches of one short transaction each."""

from collections.abc import Iterator, Sequence
from typing import Protocol
from uuid import UUID

from django.db.models import QuerySet

from curation.models import Pair
from projects.models import Project
from retrieval.batches import batched

Chosen = QuerySet[Pair] | Sequence[UUID]


class Tick(Protocol):
    """Told how much is done, and in words what comes now; answers whether to go on."""

    def __call__(self, done: int, step: str = "") -> bool: ...


class Stopped(Exception):
    """Somebody wants it to end before anything came of it."""


def unwatched(done: int, step: str = "") -> bool:
    """For what nobody watches: it goes on."""
    return True


def go_on(tick: Tick, done: int, step: str = "") -> None:
    """Tell ``tick``. Raises ``Stopped`` where it wants an end."""
    if not tick(done, step):
        raise Stopped


def ids_of(project: Project, pairs: Chosen) -> list[UUID]:
    """Those of ``pairs`` that are the project's, as they are now."""
    if isinstance(pairs, QuerySet):
        return list(pairs.filter(project=project).order_by("pk").values_list("pk", flat=True))
    return [pk for some in batched(pairs) for pk in _there(project, some)]


def batches_of(project: Project, pairs: Chosen, tick: Tick = unwatched) -> Iterator[list[UUID]]:
    """Ids in batches, without what is gone meanwhile; it ends early when ``tick``, told after each batch, says so."""
    ids = ids_of(project, pairs) if isinstance(pairs, QuerySet) else pairs
    done = 0
    for some in batched(ids):
        yield _there(project, some)
        done += len(some)
        if not tick(done):
            return


def _there(project: Project, some: Sequence[UUID]) -> list[UUID]:
    return list(Pair.objects.filter(project=project, pk__in=some).order_by("pk").values_list("pk", flat=True))
