"""What an import tells: how many rows, of what kind, and each row left out with its line and what is wrong with it."""

import json
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.lib.pair_files.line import shown
from engine.lib.pair_rows import PairRow

TOLD = 10_000  # bad rows that are listed; those after them are counted
NAMED = 50  # tags, topics and columns that are named


class ImportReport:
    """Writes ``errors.jsonl`` as the rows come, and ``report.json`` at the end, into ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors = open(folder / "errors.jsonl", "w", encoding="utf-8", newline="\n")  # noqa: SIM115 (closed on exit)
        self.counts: Counter[str] = Counter()
        self.values: dict[str, Counter[str]] = {
            name: Counter() for name in ("tags", "topic", "language", "difficulty", "extra", "mistakes")
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.errors.close()

    def bad(self, line: int, message: str, column: str, text: str | dict[str, Any]) -> None:
        """``text`` is the line, or the record that was read from it."""
        self.counts["bad"] += 1
        if len(self.values["mistakes"]) < 1000 or message in self.values["mistakes"]:
            self.values["mistakes"][message] += 1
        if self.counts["bad"] > TOLD:
            return
        if not isinstance(text, str):
            text = json.dumps(text, ensure_ascii=False, default=str)
        row = {"line": line, "column": shown(column), "message": shown(message), "text": shown(text)}
        self.errors.write(json.dumps({name: value for name, value in row.items() if value != ""}, ensure_ascii=False) + "\n")

    def good(self, row: PairRow) -> None:
        self.counts["good"] += 1
        self.counts["preferences"] += bool(row.rejected)
        self.counts["conversations"] += sum(message["role"] == "user" for message in row.messages) > 1
        self.counts["with_sources"] += bool(row.sources)
        for name in ("topic", "language", "difficulty"):
            if value := getattr(row, name):
                self._count(name, value)
        for tag in row.tags:
            self._count("tags", tag)
        for name in row.extra:
            self._count("extra", name)

    def _count(self, name: str, value: str) -> None:
        if value in self.values[name] or len(self.values[name]) < 5000:
            self.values[name][value] += 1

    def finish(self, facts: dict[str, Any], seconds: float) -> dict[str, Any]:
        """What ``report.json`` now says: ``facts``, the counts, and the most frequent values of each field."""
        names = ("good", "bad", "preferences", "conversations", "with_sources")
        values = {name: dict(counter.most_common(NAMED)) for name, counter in self.values.items()}
        report = {
            **facts,
            "read": self.counts["good"] + self.counts["bad"],
            **{name: self.counts[name] for name in names},
            "listed": min(self.counts["bad"], TOLD),
            "values": {name: {shown(value): times for value, times in found.items()} for name, found in values.items()},
            "seconds": round(seconds, 2),
        }
        (self.folder / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), "utf-8")
        return report
