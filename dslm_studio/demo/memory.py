"""How much memory the whole studio takes while the demo is built."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import psutil

from dslm_studio.launch.state import Home

LOOK_EVERY = 0.5  # seconds


def resident_bytes(home: Path) -> int:
    """Resident memory of the launcher on ``home`` and all its descendants, in bytes; 0 when none runs there.

    Pages that processes share are counted once for each of them, so this is at least what the studio really takes.
    """
    instance = Home(home).read()
    if instance is None or not instance.launcher.alive():
        return 0
    try:
        launcher = psutil.Process(instance.launcher.pid)
        family = [launcher, *launcher.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_resident(process) for process in family)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:  # it ended since the list was made
        return 0


class PeakMemory:
    """Looks at `resident_bytes` twice a second while the ``with`` block runs, and calls ``looked``; ``bytes`` is the most it saw.

    It begins with ``earlier``, what others saw.
    """

    def __init__(self, home: Path, earlier: int = 0, looked: Callable[[], None] = lambda: None) -> None:
        self.bytes = earlier
        self._home, self._looked = home, looked
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(LOOK_EVERY):
            self.bytes = max(self.bytes, resident_bytes(self._home))
            self._looked()
