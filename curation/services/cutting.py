"""Cutting a dataset version: approved pairs, split by document, written once and hashed."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from curation.models import DatasetVersion, Pair, PairStatus
from curation.splitting import SPLITS, Item, groups_of, split_groups
from projects import audit
from projects.models import Project, User
from projects.services import project_touch
from runs.artifacts import artifact_register

FRACTIONS = (0.75, 0.1, 0.15)  # train, validation, test
FEWEST_PAIRS = 10
FEWEST_GROUPS = 3  # one a split


class DatasetError(Exception):
    """A version cannot be cut; the message says why and what to do."""


def dataset_version_cut(*, project: Project, by: User | None, seed: int = 7, fractions: Sequence[float] = FRACTIONS) -> DatasetVersion:
    """Write the project's approved pairs as an immutable ``dataset`` artifact and number it.

    Raises ``DatasetError`` when nothing is approved, when it is too little, or when it cannot be split by document.
    """
    pairs = _approved(project)
    rows, split_of = _split(pairs, seed, _checked_fractions(fractions))
    documents = {split: sorted({doc for pair in pairs if split_of[str(pair.pk)] == split for doc in _documents(pair)}) for split in SPLITS}
    card = _card(pairs, rows, documents, seed, fractions)
    folder = _write(rows, card)
    try:
        artifact = artifact_register(project=project, kind="dataset", folder=folder, facts=card)
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
            created_by=by,
        )
        audit.record(
            project,
            by,
            "dataset.cut",
            version.name,
            after={"counts": version.counts, "sha256": version.sha256, "seed": seed},
        )
        project_touch(project)
    return version


def _approved(project: Project) -> list[Pair]:
    """The approved pairs in an order that is the same each time. Raises ``DatasetError`` for too few."""
    fields = ("messages", "question", "answer", "shape", "sources")
    pairs = list(Pair.objects.filter(project=project, status=PairStatus.APPROVED).only("project", *fields).order_by("question_hash"))
    if not pairs:
        waiting = Pair.objects.filter(project=project, status=PairStatus.PENDING).count()
        mend = f"Review the {waiting:,} that wait." if waiting else "Generate or write some, then review them."
        raise DatasetError(f"No pair is approved yet. {mend}")
    if len(pairs) < FEWEST_PAIRS:
        raise DatasetError(
            f"{len(pairs)} approved {'pair is' if len(pairs) == 1 else 'pairs are'} too few to train and to test on: "
            f"at least {FEWEST_PAIRS} are needed, and about 100 before training is worth it."
        )
    empty = sum(1 for pair in pairs if not pair.answer.strip())
    if empty:
        raise DatasetError(f"{empty} approved {'pair has' if empty == 1 else 'pairs have'} an empty answer. Write it, or reject the pair.")
    return pairs


def _checked_fractions(fractions: Sequence[float]) -> Sequence[float]:
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise DatasetError("The shares of train, validation and test must be above zero and come to 100%.")
    return fractions


def _documents(pair: Pair) -> list[str]:
    return [source.document for source in pair.source_list]


def _split(pairs: list[Pair], seed: int, fractions: Sequence[float]) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Split → rows, and pair → split. Raises ``DatasetError`` for fewer than three groups."""
    groups = groups_of(Item(str(pair.pk), tuple(_documents(pair))) for pair in pairs)
    if len(groups) < FEWEST_GROUPS:
        where = "one document" if len(groups) == 1 else "two documents"
        raise DatasetError(
            f"The approved pairs come from {where}. Train, validation and test each need a document of their own, "
            "so that nothing leaks: approve pairs from at least three."
        )
    split_by_group = split_groups({group: len(keys) for group, keys in groups.items()}, seed=seed, fractions=fractions)
    split_of = {key: split_by_group[group] for group, keys in groups.items() for key in keys}
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
    for pair in pairs:
        rows[split_of[str(pair.pk)]].append(_row(pair))
    return rows, split_of


def _row(pair: Pair) -> dict[str, Any]:
    sources = [{"document": s.document, "version": s.version, "page": s.page, "start": s.start, "end": s.end} for s in pair.source_list]
    return {"id": str(pair.pk), "messages": pair.messages, "sources": sources, "shape": pair.shape}


def _card(
    pairs: list[Pair],
    rows: dict[str, list[dict[str, Any]]],
    documents: dict[str, list[str]],
    seed: int,
    fractions: Sequence[float],
) -> dict[str, Any]:
    """What the data card says. No number, date or name in it: the same content must hash the same."""
    lengths = sorted(len(pair.answer) for pair in pairs)
    return {
        "counts": {split: len(rows[split]) for split in SPLITS},
        "documents": {split: len(documents[split]) for split in SPLITS},
        "shapes": dict(sorted(Counter(pair.shape for pair in pairs).items())),
        "answer_characters": {"shortest": lengths[0], "median": lengths[len(lengths) // 2], "longest": lengths[-1]},
        "characters": sum(len(pair.question) + len(pair.answer) for pair in pairs),
        "seed": seed,
        "fractions": dict(zip(SPLITS, fractions, strict=True)),
        "split_by": "document",
    }


def _write(rows: dict[str, list[dict[str, Any]]], card: dict[str, Any]) -> Path:
    """The folder of the artifact, beside the store so that taking it over is a rename."""
    settings.ARTIFACT_ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="dataset-", dir=settings.ARTIFACT_ROOT))
    for split in SPLITS:
        with open(folder / f"{split}.jsonl", "w", encoding="utf-8") as file:
            for row in rows[split]:
                file.write(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n")
    (folder / "card.json").write_text(json.dumps(card, ensure_ascii=False, indent=1, sort_keys=True), "utf-8")
    return folder


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
