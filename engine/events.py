"""events.jsonl: what a stage says while it works. One line an event, flushed as it is written."""

import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from engine.faults import fault

EVENTS_FILE = "events.jsonl"
VERSION = 1

EventType = Literal["started", "phase", "progress", "metric", "sample", "log", "checkpoint", "artifact", "warning", "error", "finished"]
EVENT_TYPES: tuple[str, ...] = get_args(EventType)


class Event(BaseModel):
    """One line. ``seq`` counts from 1 within an attempt; ``ts`` is seconds since the epoch. Payloads: docs/architecture.md."""

    model_config = ConfigDict(extra="ignore")

    v: int = VERSION
    seq: int
    ts: float
    type: EventType
    data: dict[str, Any]


def finite(value: Any) -> Any:
    """``value`` with NaN and infinities as None, for JSON has neither."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return value


class EventWriter:
    """Appends events to ``folder/events.jsonl``. Only the first process of a distributed run writes."""

    def __init__(self, folder: Path) -> None:
        self._seq = 0
        first = os.environ.get("RANK", "0") == "0"
        self._file = open(folder / EVENTS_FILE, "ab", buffering=0) if first else None  # noqa: SIM115 (open as long as the process)

    def write(self, type: EventType, **data: Any) -> None:
        if self._file is None:
            return
        self._seq += 1
        event = {"v": VERSION, "seq": self._seq, "ts": time.time(), "type": type, "data": finite(data)}
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n"
        fault("event.before_write")
        self._file.write(line.encode())  # one write call a line, so that a reader sees whole lines or a tail to wait for
        fault("event.after_write")


def read_from(path: Path, offset: int, limit_bytes: int = 1 << 20) -> tuple[list[Event], int]:
    """Whole events of ``path`` from byte ``offset`` on, and the offset after them.

    An unfinished last line is left for the next call. A line that is no event (a torn write of a killed process) is skipped.
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            block = file.read(limit_bytes)
    except FileNotFoundError:
        return [], offset
    end = block.rfind(b"\n") + 1
    return list(_parse(block[:end])), offset + end


def _parse(block: bytes) -> Iterator[Event]:
    for line in block.splitlines():
        try:
            yield Event.model_validate_json(line)
        except ValueError:
            continue
