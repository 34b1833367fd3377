"""events.jsonl: what a stage says while it works. One line an event, flushed as it is written."""

import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from engine import ranks
from engine.faults import fault

EVENTS_FILE = "events.jsonl"
VERSION = 1

EventType = Literal["started", "phase", "progress", "metric", "sample", "log", "checkpoint", "artifact", "warning", "error", "finished"]
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL refuses the first, UTF-8 the others


class Event(BaseModel):
    """One line. ``seq`` counts from 1 within an attempt; ``ts`` is seconds since the epoch. Payloads: docs/architecture.md."""

    model_config = ConfigDict(extra="ignore")

    v: int = VERSION
    seq: int
    ts: float
    type: EventType
    data: dict[str, Any]


def storable(value: Any) -> Any:
    """``value`` as JSON and every database can hold it: NaN and infinities are None; NUL and half characters are U+FFFD."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {k: storable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [storable(v) for v in value]
    return value


class EventWriter:
    """Appends events to ``folder/events.jsonl``. Only the first process of a distributed run writes."""

    def __init__(self, folder: Path) -> None:
        self._seq = 0
        self._file = open(folder / EVENTS_FILE, "ab", buffering=0) if ranks.is_first() else None  # noqa: SIM115 (open as long as the process)

    def write(self, type: EventType, **data: Any) -> None:
        if self._file is None:
            return
        self._seq += 1
        event = {"v": VERSION, "seq": self._seq, "ts": time.time(), "type": type, "data": storable(data)}
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n"
        fault("event.before_write")
        self._file.write(line.encode())  # one write call a line, so that a reader sees whole lines or a tail to wait for
        fault("event.after_write")


def read_from(path: Path, offset: int, limit_bytes: int = 1 << 20) -> tuple[list[Event], int]:
    """Whole events of ``path`` from byte ``offset`` on, about ``limit_bytes`` of them, and the offset after them.

    An unfinished last line is left for the next call. A line that is no event (a torn write of a killed process) is skipped.
    """
    try:
        if path.stat().st_size <= offset:  # mostly so where a run is watched: nothing is opened for it
            return [], offset
        with open(path, "rb") as file:
            file.seek(offset)
            block = file.read(limit_bytes)
            if b"\n" not in block:
                block += file.readline()  # one line longer than the limit: nothing after it would ever be read
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
