"""How well search finds evidence: measured on questions whose evidence is known.

A question counts as answered at rank r when the hit at r is a passage of the same document that holds at least half of the
characters of the evidence span (``COVERED``). Half, not all: where a passage ends in the middle of the evidence, who follows
the citation still lands on it; any overlap at all would count a passage that holds a word of it. Reciprocal ranks are read
to depth ``DEPTH`` and count 0 below.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from projects.models import Project
from projects.registries import provided
from retrieval.embedding import embed
from retrieval.search import Hit, Mode, look_up

COVERED = 0.5
DEPTH = 10
BATCH = 16


class Question(NamedTuple):
    """``start`` and ``end`` are the evidence in the text of the document's current version."""

    question: str
    document: UUID
    start: int
    end: int


@dataclass
class Miss:
    """A question whose evidence was not among the first k, with what came instead."""

    question: str
    document: str
    start: int
    end: int
    rank: int | None
    found: str  # the document of the first hit
    found_start: int
    found_end: int


@dataclass
class Measured:
    """Numbers between 0 and 1 over ``queries`` questions. The names say 5 because k is 5 wherever they are compared."""

    recall_at_5: float
    mrr: float
    keyword_only_recall_at_5: float
    vector_only_recall_at_5: float
    queries: int
    k: int
    milliseconds: float  # of one search, without its embedding; the median
    misses: list[Miss] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The figures without the misses."""
        found = asdict(self)
        del found["misses"]
        return found


def measure(
    project: Project,
    questions: Iterable[Question | tuple[str, UUID, int, int]],
    k: int = 5,
    *,
    tick: Callable[[int], bool] | None = None,
) -> Measured:
    """Ask every question once and look where its evidence comes. ``tick(done)`` is called on the way; answering False ends it early.

    Raises ``EmbedderAway`` and ``StoreError`` as ``search`` does.
    """
    asked = [Question(question, UUID(str(document)), start, end) for question, document, start, end in questions]
    ranks: dict[Mode, list[int | None]] = {"hybrid": [], "vector": [], "keyword": []}
    misses: list[Miss] = []
    times: list[float] = []
    for at in range(0, len(asked), BATCH):
        some = asked[at : at + BATCH]
        for one, vector in zip(some, embed([question.question for question in some]), strict=True):
            began = time.perf_counter()
            found = look_up(project, one.question, k=max(k, DEPTH), vector=vector)
            times.append(1000 * (time.perf_counter() - began))
            ranks["hybrid"].append(rank := rank_of(one, found.hits))
            ranks["vector"].append(rank_of(one, found.by_vector))
            ranks["keyword"].append(rank_of(one, found.by_keyword))
            if rank is None or rank > k:
                misses.append(_miss(one, rank, found.hits))
        if tick is not None and not tick(min(at + BATCH, len(asked))):
            break
    count = len(ranks["hybrid"])

    def recall(mode: Mode) -> float:
        return sum(1 for rank in ranks[mode] if rank and rank <= k) / count if count else 0.0

    return Measured(
        recall_at_5=recall("hybrid"),
        mrr=sum(1 / rank for rank in ranks["hybrid"] if rank and rank <= DEPTH) / count if count else 0.0,
        keyword_only_recall_at_5=recall("keyword"),
        vector_only_recall_at_5=recall("vector"),
        queries=count,
        k=k,
        milliseconds=sorted(times)[count // 2] if count else 0.0,
        misses=misses,
    )


def rank_of(question: Question, hits: list[Hit]) -> int | None:
    """The rank of the first hit that covers the evidence, from 1."""
    return next((rank for rank, hit in enumerate(hits, 1) if covers(hit, question)), None)


def covers(hit: Hit, question: Question) -> bool:
    chunk = hit.chunk
    if chunk.version.document_id != question.document:
        return False
    overlap = min(chunk.end, question.end) - max(chunk.start, question.start)
    return overlap > 0 and overlap >= COVERED * (question.end - question.start)


def _miss(question: Question, rank: int | None, hits: list[Hit]) -> Miss:
    first = hits[0].chunk if hits else None
    return Miss(
        question=question.question,
        document=str(question.document),
        start=question.start,
        end=question.end,
        rank=rank,
        found=str(first.version.document_id) if first else "",
        found_start=first.start if first else 0,
        found_end=first.end if first else 0,
    )


def questions_of(project: Project) -> list[Question]:
    """The project's own questions with evidence, from whoever has some."""
    rows = (row for answer in provided("questions", project) for row in answer)
    return [Question(question, UUID(str(document)), start, end) for question, document, start, end in rows]
