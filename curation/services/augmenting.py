"""Further pairs from pairs there are, by a run."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from curation.models import Pair
from curation.services.generating import asked_of, note_sending, writer_ensure
from curation.services.writing import PairError
from curation.services.writing_out import pair_rows
from projects.models import Project, User
from runs.models import Run
from runs.services import run_create

STAGE = "augment_pairs"
MOST = 5_000  # pairs of one run
OTHERS = 20_000  # further pairs whose questions are looked at for near-copies


def augmentable(pairs: QuerySet[Pair]) -> QuerySet[Pair]:
    """Those of ``pairs`` that further ones are made from: no RAFT rows, which hold whole passages."""
    return pairs.exclude(shape="raft")


def pairs_augment(*, project: Project, by: User, pairs: QuerySet[Pair], params: Mapping[str, Any], writer: str = "") -> Run:
    """A run that makes further pairs from ``pairs``, at most ``MOST`` of them; they wait for review and know their parents.

    ``writer``: the key of the model that is asked, needless for templates. Raises ``PairError`` without pairs or for a model that is not
    there, ``RunError`` for wrong parameters.
    """
    chosen = list(augmentable(pairs).filter(project=project).order_by("created_at", "pk").values_list("pk", flat=True)[:MOST])
    if not chosen:
        raise PairError("There are no pairs to make further ones from. Choose others, or approve some first.")
    method = str(params.get("method") or "paraphrase")
    asked = None if method == "template" else writer_ensure(project, writer)
    settings = {**params, **(asked_of(asked) if asked else {})}
    others = augmentable(Pair.objects.filter(project=project)).exclude(pk__in=chosen).order_by("-created_at").values_list("pk", flat=True)
    inputs = {"pairs": pair_rows(project, Pair.objects.filter(pk__in=chosen))}
    if beside := list(others[:OTHERS]):
        inputs["others"] = pair_rows(project, Pair.objects.filter(pk__in=beside))
    title = f"Further pairs: {method.replace('_', '-')}"
    run = run_create(project=project, stage=STAGE, params=settings, inputs=inputs, by=by, title=title)
    if asked:
        note_sending(run, asked, by)
    return run
