"""Pairs on their way into the files of a dataset version, one at a time: what a row holds, and what is counted meanwhile."""

import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from curation.models import Pair, PairStatus, PairTag
from curation.split_index import SplitIndex
from curation.splitting import SPLITS

BATCH = 1_000  # pairs in memory at once
PLACE = ("document", "version", "page", "start", "end")  # of a source; its evidence stays with the pair
COLUMNS = (
    "project_id", "messages", "question_hash", "answer", "shape", "sources", "topic", "language", "difficulty", "rejected", "fork", "extra",
    "origin", "parent_id", "artifact_id", "status", "decided_by_id", "decided_by_rule", "edited", "revision",
)  # fmt: skip


def row_of(pair: Pair, tags: list[str]) -> dict[str, Any]:
    """The line of a split: id, messages, sources and shape, and of the rest what is not empty."""
    row = {
        "id": str(pair.pk),
        "messages": pair.messages,
        "sources": [{name: source.get(name) for name in PLACE} for source in pair.sources],
        "shape": pair.shape,
    }
    more = {
        "rejected": pair.rejected,
        "fork": pair.fork,
        "topic": pair.topic,
        "language": pair.language,
        "difficulty": pair.difficulty,
        "tags": tags,
        "extra": pair.extra,
    }
    return row | {name: value for name, value in more.items() if value not in (None, "", [], {})}


def line_of(row: dict[str, Any]) -> str:
    """The same row is always the same line."""
    return json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n"


def rows_from(pairs: QuerySet[Pair]) -> Iterator[tuple[Pair, dict[str, Any]]]:
    """Each pair with its row, in an order that is the same each time, without holding them all."""
    found = pairs.select_related(None).prefetch_related(None).only(*COLUMNS).order_by("question_hash", "pk").iterator(BATCH)
    while some := list(islice(found, BATCH)):
        tags: dict[UUID, list[str]] = defaultdict(list)
        for pk, name in (
            PairTag.objects.filter(pair__in=[pair.pk for pair in some]).order_by("tag__name").values_list("pair_id", "tag__name")
        ):
            tags[pk].append(name)
        for pair in some:
            yield pair, row_of(pair, tags[pair.pk])


@dataclass
class Tally:
    """What is counted of the pairs of a version while they pass, for its data card."""

    shapes: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    difficulties: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    people: Counter[int] = field(default_factory=Counter)
    artifacts: Counter[UUID] = field(default_factory=Counter)
    not_approved: int = 0
    edited: int = 0
    preference: int = 0
    several_turns: int = 0
    empty: int = 0
    characters: int = 0
    answers: "array[int]" = field(default_factory=lambda: array("I"))  # their lengths

    def add(self, pair: Pair, row: dict[str, Any]) -> None:
        self.shapes[pair.shape] += 1
        self.origins[pair.origin] += 1
        if pair.language:
            self.languages[pair.language] += 1
        if pair.difficulty:
            self.difficulties[pair.difficulty] += 1
        self.tags.update(row.get("tags", ()))
        if pair.status != PairStatus.APPROVED:
            self.not_approved += 1
        elif pair.decided_by_rule:
            self.rules[pair.decided_by_rule] += 1
        else:
            self.people[pair.decided_by_id or 0] += 1
        if pair.artifact_id:
            self.artifacts[pair.artifact_id] += 1
        self.edited += pair.edited
        self.preference += bool(pair.rejected)
        self.several_turns += sum(1 for message in pair.messages if message["role"] == "user") > 1
        self.empty += not pair.answer.strip()
        self.characters += sum(len(message["content"]) for message in pair.messages)
        self.answers.append(len(pair.answer))


@dataclass
class Spool:
    """Rows written one after another to a file; in memory stays what is counted of them, and what splitting needs to know."""

    path: Path
    index: SplitIndex = field(default_factory=SplitIndex)
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def of(cls, pairs: QuerySet[Pair], path: Path, seen: Callable[[int], None] = lambda read: None) -> "Spool":
        """Read ``pairs`` once, so that all rows are of one moment. ``seen`` is told now and then how many were read."""
        spool = cls(path)
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            for read, (pair, row) in enumerate(rows_from(pairs), start=1):
                file.write(line_of(row))
                spool.tally.add(pair, row)
                spool.index.add(pair)
                if read % BATCH == 0:
                    seen(read)
        return spool

    def part(self, split_of: Mapping[str, str], folder: Path) -> None:
        """Write each row to the file of its split and remove the spool."""
        with ExitStack() as stack:
            paths = {split: folder / f"{split}.jsonl" for split in SPLITS}
            files = {split: stack.enter_context(open(path, "w", encoding="utf-8", newline="\n")) for split, path in paths.items()}
            lines = stack.enter_context(open(self.path, encoding="utf-8", newline="\n"))
            for key, line in zip(self.index.keys, lines, strict=True):
                files[split_of[key]].write(line)
        self.path.unlink()
