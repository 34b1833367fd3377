"""Hybrid search: vectors and full text side by side, fused by their ranks.

``search`` answers the best passages; ``look_up`` answers with both lists as well, for the page that shows them side by side.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from django.db.models import F

from projects.models import Project
from retrieval.embedding import embed_question
from retrieval.models import Chunk, Index
from retrieval.stores import store
from retrieval.stores.base import space_of

Mode = Literal["hybrid", "vector", "keyword"]
POOL = 50  # how deep each of the two lists is read before they are fused
RRF_K = 60  # Cormack, Clarke and Büttcher 2009: a rank counts 1 / (60 + rank)
LONGEST_QUERY = 2000


@dataclass(frozen=True)
class Hit:
    """A passage that was found. Ranks count from 1, None where that list does not hold it; ``similarity`` is the cosine.

    In keyword mode without an embedder ``similarity`` is None.
    """

    chunk: Chunk
    score: float
    vector_rank: int | None
    keyword_rank: int | None
    similarity: float | None


@dataclass(frozen=True)
class Lookup:
    """Everything one question brought: the fused hits, both lists by themselves, and how long it took."""

    hits: list[Hit]
    by_vector: list[Hit] = field(default_factory=list)
    by_keyword: list[Hit] = field(default_factory=list)
    milliseconds: float = 0.0


def search(project: Project, query: str, k: int = 5, mode: Mode = "hybrid") -> list[Hit]:
    """The ``k`` best passages of the project's current documents for ``query``.

    Raises ``EmbedderAway`` in the modes that need vectors, and ``StoreError`` when the index cannot be read.
    """
    return look_up(project, query, k=k, mode=mode).hits


def look_up(project: Project, query: str, k: int = 5, mode: Mode = "hybrid", vector: Any = None) -> Lookup:
    """As ``search``, with both lists. ``vector`` is the query's where it is known already."""
    began = time.perf_counter()
    query = query.replace("\x00", " ").strip()[:LONGEST_QUERY]
    index = Index.objects.filter(project=project, ready=True).first()
    if not query or index is None:
        return Lookup([])
    space, chunks = space_of(index), store()
    pool = max(POOL, 2 * k)
    if mode != "keyword" and vector is None:
        vector = embed_question(query, index.embedding_model)
    near = chunks.by_vector(space, vector, pool) if mode != "keyword" else []
    worded = chunks.by_words(space, query, pool) if mode != "vector" else []
    found = _current(project, {key for key, _ in [*near, *worded]})
    near, worded = _known(near, found), _known(worded, found)
    similarity = dict(near)
    best = fuse([key for key, _ in near], [key for key, _ in worded])
    unknown = [one.key for one in best[:k] if one.key not in similarity]
    if vector is not None and unknown:  # found by its words alone: how near it is still tells whether it is on the topic
        similarity |= dict(chunks.by_vector(space, vector, len(unknown), only=unknown))
    hits = {one.key: Hit(found[one.key], one.score, one.vector_rank, one.keyword_rank, similarity.get(one.key)) for one in best}
    return Lookup(
        hits=[hits[one.key] for one in best[:k]],
        by_vector=[hits[key] for key, _ in near[:k]],
        by_keyword=[hits[key] for key, _ in worded[:k]],
        milliseconds=1000 * (time.perf_counter() - began),
    )


@dataclass(frozen=True)
class Fused:
    key: UUID
    score: float
    vector_rank: int | None
    keyword_rank: int | None


def fuse(by_vector: Sequence[UUID], by_keyword: Sequence[UUID]) -> list[Fused]:
    """Reciprocal rank fusion of two lists, best first. Of equals the one nearer by vector comes first, then the one by words."""
    vector_ranks = {key: rank for rank, key in enumerate(by_vector, 1)}
    keyword_ranks = {key: rank for rank, key in enumerate(by_keyword, 1)}
    fused = []
    for key in dict.fromkeys([*by_vector, *by_keyword]):
        ranks = vector_ranks.get(key), keyword_ranks.get(key)
        fused.append(Fused(key, sum(1 / (RRF_K + rank) for rank in ranks if rank), *ranks))
    last = len(fused) + 1
    return sorted(fused, key=lambda one: (-one.score, one.vector_rank or last, one.keyword_rank or last))


def _current(project: Project, keys: Collection[UUID]) -> dict[UUID, Chunk]:
    """The chunks among ``keys`` that may be found: of the version that is current, of a document that was not deleted."""
    found = Chunk.objects.filter(pk__in=keys, version__document__project=project, version__document__deleted_at=None)
    found = found.filter(version__document__current=F("version")).select_related("version__document__project")
    return {chunk.pk: chunk for chunk in found}


def _known(ranked: list[tuple[UUID, float]], found: dict[UUID, Chunk]) -> list[tuple[UUID, float]]:
    return [(key, value) for key, value in ranked if key in found]
