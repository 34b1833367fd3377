"""The first rows of an uploaded file, read in a process of their own that may die without harm."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from django.conf import settings

from engine.lib.pair_formats import FieldError, PairRow, Record, RowError, columns, reader
from runs.environment import PASSED_ON

ROWS = 20
PATIENCE = 30  # seconds


@dataclass(frozen=True)
class PeekedLine:
    """A row of the file, and the pair it becomes, or what is wrong with it."""

    number: int
    record: Record | None
    pair: PairRow | None = None
    error: str = ""
    column: str = ""
    text: str = ""


@dataclass(frozen=True)
class Peek:
    """What the start of a file shows. ``problem`` and ``mend`` are set when it cannot be opened at all."""

    format: str = ""
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    sheets: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    mapping: dict[str, str] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    problem: str = ""
    mend: str = ""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        if "problem" in data:
            return cls(problem=str(data["problem"]["message"]), mend=str(data["problem"]["mend"]))
        return cls(**data)

    def read_as(self, format: str, mapping: dict[str, str]) -> list[PeekedLine]:
        """The lines as pairs of ``format``; ``mapping`` is for the format of columns."""
        read = reader(format, mapping)
        return [self._line(line, read) for line in self.lines]

    @staticmethod
    def _line(line: dict[str, Any], read: Any) -> PeekedLine:
        number, record = line["number"], line["record"]
        if record is None:
            return PeekedLine(number, None, error=line["error"], text=line["text"])
        try:
            return PeekedLine(number, record, read(record))
        except RowError as error:
            return PeekedLine(number, record, error=str(error), column=error.column if isinstance(error, FieldError) else "")

    def fields(self, chosen: dict[str, str]) -> list[dict[str, str]]:
        """For each column its name, the field it goes to (as chosen, or else as guessed) and the first thing that stands in it."""
        guessed = columns.guess(self.columns)
        records = [line["record"] for line in self.lines if line["record"] is not None]
        return [
            {"column": column, "field": chosen.get(column, field), "sample": _sample(column, records)} for column, field in guessed.items()
        ]


def _sample(column: str, records: list[Record]) -> str:
    value = next((record[column] for record in records if record.get(column) not in (None, "")), "")
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))[:120]


@lru_cache(maxsize=64)
def _peeked(path: Path, options: str) -> str:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"PYTHONPATH": str(settings.BASE_DIR)}
    command = [sys.executable, "-m", "engine.lib.pair_peek", str(path), options]
    done = subprocess.run(command, env=environment, cwd=path.parent, capture_output=True, timeout=PATIENCE, check=True)
    return done.stdout.decode()


def peek(path: Path, reading: dict[str, Any]) -> Peek:
    """``reading`` are the options of `pair_peek`. A file does not change, so the answer is remembered. Never raises for a bad file."""
    try:
        return Peek.from_dict(json.loads(_peeked(path, json.dumps({**reading, "rows": ROWS}, sort_keys=True))))
    except subprocess.TimeoutExpired:
        return Peek(problem=f"Its first rows took longer than {PATIENCE} seconds to read.", mend="Save it as CSV or JSONL and upload that.")
    except (subprocess.CalledProcessError, ValueError):
        return Peek(
            problem="The program that reads it broke off.", mend="Open the file in its own program, save a new copy and upload that."
        )
