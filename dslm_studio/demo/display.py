"""The demo's progress in the terminal: one line a step, which moves while the step works."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

BAR = 24


class Display:
    """Writes to ``out``. On a terminal the line of a step is drawn again as it moves; elsewhere only its end is written.

    How long each step takes is added to ``seconds``, where what earlier starts took stands already.
    """

    def __init__(self, seconds: dict[str, float], out: TextIO | None = None) -> None:
        self.seconds = seconds
        self._out = out or sys.stdout
        self._live = self._out.isatty()

    @contextmanager
    def step(self, key: str, title: str) -> Iterator["Step"]:
        """A step of the demo. It counts as it goes on, for a start may end at any moment."""
        earlier, began = self.seconds.get(key, 0.0), time.monotonic()

        def count() -> None:
            self.seconds[key] = round(earlier + time.monotonic() - began, 1)

        step = Step(self, title, count)
        step.say("")
        try:
            yield step
        except BaseException:
            self._line(f"  ✗ {title}\n")
            raise
        count()
        if step.seconds is not None:
            self.seconds[key] = round(step.seconds, 1)
        self._line(f"  ✓ {title:<34} {step.result:<48} {self.seconds[key]:>7.1f} s\n")

    def _line(self, text: str) -> None:
        self._out.write(("\r\033[K" if self._live else "") + text)
        self._out.flush()

    def draw(self, title: str, text: str) -> None:
        if self._live:
            self._line(f"  · {title:<34} {text}")


class Step:
    """One step: ``say`` what it does now, set ``result`` to what came of it, and ``seconds`` where it worked unwatched."""

    def __init__(self, display: Display, title: str, count: Callable[[], None]) -> None:
        self._display, self._title, self._count = display, title, count
        self.result = ""
        self.seconds: float | None = None

    def say(self, text: str, done: float | None = None, total: float | None = None, seconds_left: float | None = None) -> None:
        self._count()
        if total and done is not None:
            filled = int(BAR * done / total)
            left = f" {seconds_left:.0f} s left" if seconds_left else ""
            text = f"{'━' * filled}{'╌' * (BAR - filled)} {100 * done / total:3.0f}% {text}{left}"
        self._display.draw(self._title, text)
