"""General data in the training split, so that a model rehearses what it knew while it learns the domain."""

import random
from dataclasses import dataclass
from pathlib import Path

from django.db.models import QuerySet

from curation.dataset_rows import line_of, rows_from
from curation.models import Pair, PairStatus, Tag
from curation.split_index import digest
from projects.models import Project

MOST_PERCENT = 50


@dataclass(frozen=True)
class Rehearsal:
    """``percent`` of the training split come from pairs with ``tag`` and without a source, which are then in no other split."""

    tag: Tag
    percent: int

    def candidates(self, project: Project) -> QuerySet[Pair]:
        """General data needs no review pair by pair; what was turned down, or says nothing, stays out."""
        return Pair.objects.filter(project=project, tags=self.tag, document_id=None, answer_length__gt=0).exclude(
            status=PairStatus.REJECTED
        )

    def wanted(self, train: int) -> int:
        """How many rows make ``percent`` of a training split that has ``train`` others."""
        return round(train * self.percent / (100 - self.percent))


def rehearsal_append(*, project: Project, rehearsal: Rehearsal, file: Path, train: int, held_out: set[int], seed: int) -> int:
    """Add rows marked ``"rehearsal": true`` to ``file``, the same ones each time for a seed; how many.

    ``train`` is how many rows it holds. What asks a held-out question (``held_out`` are digests of question hashes) stays out.
    Fewer than wanted where there are not so many.
    """
    candidates = rehearsal.candidates(project).order_by("question_hash", "pk").values_list("pk", "question_hash")
    keys = [pk for pk, asked in candidates.iterator() if digest(asked) not in held_out]
    chosen = random.Random(seed).sample(keys, min(rehearsal.wanted(train), len(keys)))
    with open(file, "a", encoding="utf-8", newline="\n") as out:
        for start in range(0, len(chosen), 500):
            for _, row in rows_from(Pair.objects.filter(pk__in=chosen[start : start + 500])):
                out.write(line_of({**row, "rehearsal": True}))
    return len(chosen)
