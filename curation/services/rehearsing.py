"""General data in a dataset version: rehearsed in training, so that a model keeps what it knew, and looked at to see whether it does."""

import random
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.db.models import QuerySet

from catalogue.services import base_model_ensure
from curation.dataset_rows import line_of, rows_from
from curation.models import Pair, PairStatus, Tag
from curation.split_index import digest
from projects.models import Project, User
from runs.models import Artifact, Run
from runs.services import run_create

STAGE = "make_rehearsal"
MOST_PERCENT = 50
USUAL_PERCENT = 20  # offered where there is general data
TAG = "general"  # of what the studio writes as general data, and the one that is offered
HELD_OUT = 16  # rows kept from training, to look at what is forgotten: as many as a training looks at
FEWEST_HELD_OUT = 8  # fewer say too little


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


@dataclass(frozen=True)
class Appended:
    """How many rows of general data were added to the training split, and to the validation split."""

    train: int
    validation: int


def rehearsal_append(*, project: Project, rehearsal: Rehearsal, folder: Path, train: int, held_out: set[int], seed: int) -> Appended:
    """Add rows marked ``"rehearsal": true`` to the splits in ``folder``, the same ones each time for a seed.

    ``train`` is how many rows the training split holds. What asks a held-out question (``held_out`` are digests of question hashes) stays
    out. Where there is enough, some come into the validation split instead: on those, training looks at what the model forgets. Fewer than
    wanted where there are not so many.
    """
    candidates = rehearsal.candidates(project).order_by("question_hash", "pk").values_list("pk", "question_hash")
    asked = {pk: question for pk, question in candidates.iterator() if digest(question) not in held_out}
    looked_at = min(HELD_OUT, len(asked) // 4)
    looked_at = looked_at if looked_at >= FEWEST_HELD_OUT else 0
    drawn = random.Random(seed).sample(list(asked), min(rehearsal.wanted(train) + looked_at, len(asked)))
    kept_apart = drawn[:looked_at]
    questions = {asked[pk] for pk in kept_apart}
    trained_on = [pk for pk in drawn[looked_at:] if asked[pk] not in questions]
    _append(folder / "validation.jsonl", kept_apart)
    _append(folder / "train.jsonl", trained_on)
    return Appended(len(trained_on), looked_at)


def _append(file: Path, keys: list[UUID]) -> None:
    with open(file, "a", encoding="utf-8", newline="\n") as out:
        for start in range(0, len(keys), 500):
            for _, row in rows_from(Pair.objects.filter(pk__in=keys[start : start + 500])):
                out.write(line_of({**row, "rehearsal": True}))


def general_tag(project: Project) -> Tag | None:
    """The tag of the project's general data; None where there is none of it yet."""
    tag = Tag.objects.filter(project=project, name=TAG).first()
    return tag if tag and Rehearsal(tag, USUAL_PERCENT).candidates(project).exists() else None


def rehearsal_write(*, project: Project, by: User, base_key: str) -> Run:
    """Have the base model of that key write general data, which comes in as pairs with ``TAG``; the run that does.

    Raises ``CatalogueError`` for a model that is not on this machine.
    """
    model = base_model_ensure(key=base_key, by=by)
    given = model if isinstance(model, Artifact) else (model, "model")
    return run_create(project=project, stage=STAGE, params={}, inputs={"model": given}, by=by, title="General data")
