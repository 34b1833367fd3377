"""What the launcher says: one line a step, quiet, honouring NO_COLOR and a terminal that is none."""

import os
import sys
import threading
import time
from types import TracebackType
from typing import Self

LIVE = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
COLOUR = LIVE and not os.environ.get("NO_COLOR")
UNICODE = "utf" in (sys.stdout.encoding or "").lower()
TICK, CROSS, BANG, DOT = ("✓", "✗", "!", "·") if UNICODE else ("ok", "x", "!", "-")
HEARTBEAT = 60.0  # seconds between two signs of life where no line can be redrawn

_lock = threading.RLock()
_live_line = False


class Problem(Exception):
    """Something a person can mend: shown as two lines, never as a stack trace."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message, self.mend = message, mend


def paint(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def bold(text: str) -> str:
    return paint(text, "1")


def dim(text: str) -> str:
    return paint(text, "2")


def say(text: str = "") -> None:
    """Print a line, after wiping a live one. A terminal that went away is no reason to stop half-way through stopping."""
    global _live_line
    encoding = sys.stdout.encoding or "utf-8"
    with _lock:
        _write(("\r\033[K" if _live_line else "") + text.encode(encoding, "replace").decode(encoding) + "\n")
        _live_line = False


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  stays open until the end


def good(text: str, seconds: float | None = None) -> None:
    say(f"{paint(TICK, '32')} {text}{_took(seconds)}")


def bad(text: str, mend: str = "", seconds: float | None = None) -> None:
    say(f"{paint(CROSS, '31')} {text}{_took(seconds)}")
    if mend:
        say("  " + mend.replace("\n", "\n  "))


def warn(text: str) -> None:
    say(f"{paint(BANG, '33')} {text}")


def note(text: str) -> None:
    say(f"{dim(DOT)} {dim(text)}")


def problem(error: Problem) -> None:
    bad(error.message, error.mend)


def _took(seconds: float | None) -> str:
    return "" if seconds is None else "  " + dim(f"{seconds:.1f} s" if seconds < 99.5 else f"{seconds:.0f} s")


class Step:
    """``with Step("Migrating"):`` shows a live line with the elapsed seconds, then one that stays. ``detail`` may change."""

    def __init__(self, title: str) -> None:
        self.title, self.detail, self.result = title, "", ""
        self.began = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
        if kind is None:
            good(self.result or self.title, self.seconds)
        elif isinstance(error, Problem):
            bad(self.title, seconds=self.seconds)
        else:
            say(f"{dim(DOT)} {self.title}  {dim('interrupted')}")

    def _show(self) -> None:
        global _live_line
        last = 0.0
        while not self._done.wait(0.25):
            if LIVE:
                with _lock:
                    text = f"{self.title}{': ' + self.detail if self.detail else ''}, {self.seconds:.0f} s"
                    width = _width()
                    _write("\r\033[K" + dim(DOT) + " " + (text if len(text) < width - 3 else text[: width - 4] + "~"))
                    _live_line = True
            elif self.seconds - last >= HEARTBEAT:
                last = self.seconds
                say(f"{DOT} {self.title}{': ' + self.detail if self.detail else ''}, {self.seconds:.0f} s")


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return 100
