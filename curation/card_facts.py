"""What the data card of a dataset version says, as figures: what is in it, how it came to be, and who looked at it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import QuerySet

from curation.agreement import agreement
from curation.dataset_rows import Spool
from curation.models import Pair, Response, ResponseState
from curation.splitting import SPLITS, Balance
from projects.models import Project
from runs.models import Artifact

CARD_VERSION = 2


@dataclass(frozen=True)
class Rehearsed:
    """Rows of general data in the training split, the share of it that was asked for, in percent, and rows in the validation split."""

    rows: int
    percent: int
    held_out: int = 0


def content_of(
    spool: Spool,
    split_of: Mapping[str, str],
    *,
    documents: dict[str, int],
    balance: Balance,
    seed: int,
    fractions: dict[str, float],
    rehearsal: Rehearsed,
) -> dict[str, Any]:
    """`card.json`. No number, date, person or decision in it: the same content must hash the same.

    ``counts`` are of the files' rows; everything else leaves the rehearsed rows out.
    """
    tally, lengths = spool.tally, sorted(spool.tally.answers)
    counts = Counter(split_of.values())
    counts["train"] += rehearsal.rows
    counts["validation"] += rehearsal.held_out
    return {
        "v": CARD_VERSION,
        "counts": {split: counts[split] for split in SPLITS},
        "documents": documents,
        "shapes": dict(sorted(tally.shapes.items())),
        "topics": balance.counts,
        "balance": {"topic": balance.topic, "split": balance.split, "points": balance.points},
        "languages": dict(sorted(tally.languages.items())),
        "difficulties": dict(sorted(tally.difficulties.items())),
        "tags": dict(sorted(tally.tags.items())),
        "origins": dict(sorted(tally.origins.items())),
        "preference": tally.preference,
        "several_turns": tally.several_turns,
        "twins": spool.index.twins(),
        "rehearsal": asdict(rehearsal),
        "answer_characters": {"shortest": lengths[0], "median": lengths[len(lengths) // 2], "longest": lengths[-1]},
        "characters": tally.characters,
        "seed": seed,
        "fractions": fractions,
        "split_by": "document",
    }


def circumstances_of(
    project: Project,
    spool: Spool,
    pairs: QuerySet[Pair],
    *,
    filter_words: str,
    gate: dict[str, Any],
    licence: str,
    override_reason: str,
) -> dict[str, Any]:
    """What a version's facts say beyond its content: who looked at it, what it was made from, and what the gate said."""
    tally = spool.tally
    return {
        "filter": filter_words,
        "licence": licence,
        "review": {
            "by_person": tally.people.total(),
            "people": len(set(tally.people) - {0}),
            "by_rule": dict(sorted(tally.rules.items())),
            "not_approved": tally.not_approved,
            "edited": tally.edited,
        },
        "agreement": _agreement(pairs),
        "gate": _gate_in_short(gate),
        "override_reason": override_reason,
        "made_from": _made_from(project, tally.artifacts),
    }


def _agreement(pairs: QuerySet[Pair]) -> dict[str, float | int | None]:
    """How far people's verdicts on these pairs agree; empty where no pair has two."""
    done = Response.objects.filter(pair__in=pairs.order_by().values("pk"), state__in=[ResponseState.SUBMITTED, ResponseState.DISCARDED])
    rows = done.order_by("pk").values_list("user_id", "pair_id", "state", "verdict")
    labels = ((str(user), str(pair), verdict if state == ResponseState.SUBMITTED else "discarded") for user, pair, state, verdict in rows)
    found = agreement(labels)
    if not found.pairs:
        return {}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(found).items()}


def _gate_in_short(gate: dict[str, Any]) -> dict[str, Any]:
    if not gate:
        return {}
    checks = [{name: check.get(name) for name in ("key", "title", "verdict", "says")} for check in gate.get("checks", [])]
    return {"verdict": gate["verdict"], "current": gate["current"], "report": gate["id"], "checks": checks}


def _made_from(project: Project, artifacts: Mapping[Any, int]) -> list[dict[str, Any]]:
    """The runs whose pairs are in it, most pairs first."""
    found = Artifact.objects.filter(project=project, pk__in=artifacts).select_related("produced_by")
    rows = [
        {
            "artifact": str(one.pk),
            "sha256": one.sha256,
            "made_by": str(one.facts.get("made_by") or (one.produced_by.stage if one.produced_by else "")),
            "run": str(one.produced_by_id) if one.produced_by_id else None,
            "pairs": artifacts[one.pk],
        }
        for one in found
    ]
    return sorted(rows, key=lambda row: (-row["pairs"], row["artifact"]))
