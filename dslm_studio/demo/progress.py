"""What all starts of one demo took together: an interrupted one is counted too."""

import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from dslm_studio.demo.memory import PeakMemory


class Progress:
    """Seconds a step, seconds in all, and the peak of memory. Begins with what earlier starts left in ``file``.

    Written there twice a second while the ``with`` block runs: a start may end without a word at any moment.
    """

    def __init__(self, file: Path, home: Path) -> None:
        kept = _read(file)
        self.seconds: dict[str, float] = kept.get("seconds", {})
        self._earlier, self._began = self.seconds.pop("total", 0.0), time.monotonic()
        self._memory = PeakMemory(home, kept.get("memory", {}).get("peak_resident_bytes", 0), self._keep)
        self._file = file

    def __enter__(self) -> "Progress":
        self._memory.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._memory.__exit__(kind, error, trace)
        self._keep()

    def measured(self) -> dict[str, Any]:
        """The report's ``seconds`` and ``memory``."""
        total = round(self._earlier + time.monotonic() - self._began, 1)
        return {"seconds": {**self.seconds, "total": total}, "memory": {"peak_resident_bytes": self._memory.bytes}}

    def _keep(self) -> None:
        write(self._file, self.measured())


def _read(file: Path) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):  # the first start, or the machine went down while it was written
        return {}
    return kept


def write(file: Path, content: dict[str, Any]) -> None:
    """As JSON, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")
    os.replace(temporary, file)
