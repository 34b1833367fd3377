"""Cutting a dataset version: the pairs of a filter, split by document, written once and hashed."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from curation import card_facts
from curation.dataset_rows import Spool
from curation.filters import pairs_matching
from curation.gate import Gate, last_gate, may_override
from curation.models import DatasetVersion, Pair, PairStatus
from curation.selecting import APPROVED, canonical
from curation.selectors.filters import filter_words
from curation.services.chosen import Tick, go_on, unwatched
from curation.services.rehearsing import MOST_PERCENT, Appended, Rehearsal, rehearsal_append
from curation.splitting import FRACTIONS, SEED, SPLITS, balance_of
from projects import audit
from projects.models import Project, User
from projects.services import project_touch
from runs.artifacts import artifact_register

FEWEST_PAIRS = 10
FEWEST_GROUPS = 3  # one a split
REASON_LIMIT = 500  # characters


class DatasetError(Exception):
    """A version cannot be cut; the message says why and what to do. ``field`` is the form's that it belongs to."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def dataset_version_cut(
    *,
    project: Project,
    by: User | None,
    seed: int = SEED,
    fractions: Sequence[float] = FRACTIONS,
    tree: dict[str, Any] | None = None,
    rehearsal: Rehearsal | None = None,
    licence: str = "",
    override_reason: str = "",
    tick: Tick = unwatched,
) -> DatasetVersion:
    """Write the pairs of a filter as an immutable ``dataset`` artifact and number it.

    ``tree`` is a filter of ``curation.filters``, the approved pairs by default. The gate's report that counts for it (``curation.gate``) is
    frozen in the version; where it failed, only an owner cuts, with an ``override_reason``.
    Raises ``FilterError`` for a tree that cannot be read, ``DatasetError`` when nothing matches, when it is too little, when it cannot be
    split by document, or when the gate forbids it; ``Stopped`` when ``tick``, told of the pairs read and of each step, wants an end.
    """
    fractions = fractions_checked(fractions)
    tree = canonical(tree)
    pairs = pairs_matching(project, tree)
    if rehearsal is not None:
        pairs = pairs.exclude(pk__in=rehearsal.candidates(project).values("pk"))
    go_on(tick, 0, "Looking at the quality gate")
    gate = last_gate(project, pairs, tree)
    override_reason = override_checked(project, by, gate, override_reason)
    settings.ARTIFACT_ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="dataset-", dir=settings.ARTIFACT_ROOT))  # beside the store: taking it over is a rename
    try:
        spool = Spool.of(pairs, folder / "rows.jsonl", lambda read: go_on(tick, read, "Reading the pairs"))
        _check_enough(project, spool, tree)
        count = len(spool.index)
        go_on(tick, count, "Splitting by document")
        split_of = _split(spool, seed, fractions)
        documents = spool.index.documents_of(split_of)
        go_on(tick, count, "Writing the files")
        spool.part(split_of, folder)
        rehearsed = _rehearse(project, rehearsal, folder, spool, split_of, seed)
        go_on(tick, count, "Writing the data card")
        card = card_facts.content_of(
            spool,
            split_of,
            documents={split: len(documents[split]) for split in SPLITS},
            balance=balance_of(spool.index.by_topic(split_of)),
            seed=seed,
            fractions=dict(zip(SPLITS, fractions, strict=True)),
            rehearsal=card_facts.Rehearsed(rehearsed.train, rehearsal.percent if rehearsal else 0, rehearsed.validation),
        )
        (folder / "card.json").write_text(json.dumps(card, ensure_ascii=False, indent=1, sort_keys=True), "utf-8", newline="\n")
        frozen = gate.frozen()
        facts = card | card_facts.circumstances_of(
            project,
            spool,
            pairs,
            filter_words=filter_words(project, tree),
            gate=frozen,
            licence=licence.strip(),
            override_reason=override_reason,
        )
        go_on(tick, count, "Hashing the files")  # after this it is cut
        artifact = artifact_register(project=project, kind="dataset", folder=folder, facts=facts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with transaction.atomic():
        version = _numbered(
            project=project,
            artifact=artifact,
            counts=card["counts"],
            sha256=artifact.sha256,
            seed=seed,
            documents=documents,
            tree=tree,
            gate=frozen,
            override_reason=override_reason,
            rehearsal=rehearsed.train,
            created_by=by,
        )
        after = {"counts": version.counts, "sha256": version.sha256, "seed": seed}
        audit.record(project, by, "dataset.cut", version.name, after=after)
        if override_reason:
            report = {"report": frozen["id"], "verdict": frozen["verdict"], "reason": override_reason}
            audit.record(project, by, "gate.override", version.name, after=report)
        project_touch(project)
    return version


def fractions_checked(fractions: Sequence[float]) -> Sequence[float]:
    """The shares as they are. Raises ``DatasetError`` where they come to something else than a whole."""
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise DatasetError("The shares of train, validation and test must be above zero and come to 100%.")
    return fractions


def override_checked(project: Project, by: User | None, gate: Gate, reason: str) -> str:
    """The reason that counts: none unless the gate failed. Raises ``DatasetError`` where it failed and this is no owner's decision."""
    if not gate.failed:
        return ""
    if not may_override(project, by):
        raise DatasetError(f"{gate.words} Mend what it found and run it again, or ask an owner, who may cut a version all the same.")
    if not reason.strip():
        raise DatasetError(f"{gate.words} As an owner you may cut a version all the same: say why.", "override_reason")
    return reason.strip()[:REASON_LIMIT]


def _check_enough(project: Project, spool: Spool, tree: dict[str, Any]) -> None:
    count, approved = len(spool.index), tree == APPROVED
    kind = "approved " if approved else "matching "
    if not count and approved:
        waiting = Pair.objects.filter(project=project, status=PairStatus.PENDING).count()
        mend = f"Review the {waiting:,} that wait." if waiting else "Generate or write some, then review them."
        raise DatasetError(f"No pair is approved yet. {mend}")
    if not count:
        raise DatasetError("No pair matches this filter. Choose another, or look at it in the table of pairs.", "saved_filter")
    if count < FEWEST_PAIRS:
        raise DatasetError(
            f"{count} {kind}{'pair is' if count == 1 else 'pairs are'} too few to train and to test on: "
            f"at least {FEWEST_PAIRS} are needed, and about 100 before training is worth it."
        )
    if empty := spool.tally.empty:
        raise DatasetError(f"{empty} {kind}{'pair has' if empty == 1 else 'pairs have'} an empty answer. Write it, or reject the pair.")


def _split(spool: Spool, seed: int, fractions: Sequence[float]) -> dict[str, str]:
    """Pair → split. Raises ``DatasetError`` for fewer than three groups."""
    if len(spool.index.groups) < FEWEST_GROUPS:
        where = "one document" if len(spool.index.groups) == 1 else "two documents"
        raise DatasetError(
            f"The pairs come from {where}, counting those that share a question as one. Train, validation and test each need a document of "
            "their own, so that nothing leaks: approve pairs from at least three."
        )
    return spool.index.split(seed=seed, fractions=fractions)


def _rehearse(project: Project, rehearsal: Rehearsal | None, folder: Path, spool: Spool, split_of: dict[str, str], seed: int) -> Appended:
    if rehearsal is None or not rehearsal.percent:
        return Appended(0, 0)
    if rehearsal.percent > MOST_PERCENT:
        raise DatasetError(f"At most {MOST_PERCENT}% of the training split can be general data.", "rehearsal_percent")
    places = [split_of[key] for key in spool.index.keys]
    held_out = {asked for asked, split in zip(spool.index.questions, places, strict=True) if split != "train"}
    train = places.count("train")
    found = rehearsal_append(project=project, rehearsal=rehearsal, folder=folder, train=train, held_out=held_out, seed=seed)
    if not found.train:
        raise DatasetError(f"No pair with the tag “{rehearsal.tag}” can be rehearsed. Import general data under it first.", "rehearsal_tag")
    return found


def _numbered(*, project: Project, **fields: Any) -> DatasetVersion:
    """The next number that nobody else took meanwhile."""
    for attempt in range(10):
        last = DatasetVersion.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
        try:
            with transaction.atomic():
                return DatasetVersion.objects.create(project=project, number=last + 1, **fields)
        except IntegrityError:
            if attempt == 9:
                raise
    raise AssertionError
