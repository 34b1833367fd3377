"""Reading documents through a child process, so that a file that crashes, hangs or eats memory spoils nothing but itself."""

import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.lib.filetypes import extension_of
from engine.lib.parse_worker import MEMORY_VARIABLE
from engine.lib.upload_checks import Problem

# all that a parser may know of the environment it runs in
ALLOWED_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "SYSTEMROOT")


@dataclass
class Parsed:
    """What a document holds, or why it could not be read."""

    text: str = ""
    page_starts: list[int] = field(default_factory=list)
    title: str = ""
    language: str = ""
    findings: list[dict[str, Any]] = field(default_factory=list)
    error: Problem | None = None


class Parser:
    """One worker process, started when first needed and again whenever it has died. Use it in a ``with``."""

    def __init__(self, *, seconds: float, memory_bytes: int) -> None:
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def parse(self, path: Path, name: str) -> Parsed:
        """Read ``path``, called ``name`` by its owner; whatever goes wrong is in ``error``."""
        job = json.dumps({"path": str(path.resolve()), "name": name, "extension": extension_of(name)})
        for fresh in (False, True):
            process = self._started()
            try:
                assert process.stdin is not None
                process.stdin.write(job.encode() + b"\n")
                process.stdin.flush()
                break
            except BrokenPipeError:  # it died between two files: this file had no part in it
                self._end()
                if fresh:
                    raise
        line = self._answer(process)
        if line is None:
            self._end()
            message = f"Reading “{name}” took longer than {self._seconds:g} seconds and was ended."
            return Parsed(error=Problem("timeout", message, "Split the document, or raise the limit of time for one document."))
        if not line.endswith(b"\n"):
            code = process.wait()
            self._end()
            message = f"Reading “{name}” needed too much memory or crashed the parser (it ended with {code})."
            return Parsed(error=Problem("crashed", message, "Open it in its own program, save a new copy, and upload that; or split it."))
        answer = json.loads(line)
        if "error" in answer:
            return Parsed(error=Problem(**answer["error"]))
        return Parsed(**answer)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            environment = {key: os.environ[key] for key in ALLOWED_ENVIRONMENT if key in os.environ}
            environment[MEMORY_VARIABLE] = str(self._memory_bytes)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "engine.lib.parse_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                cwd=Path(__file__).resolve().parents[2],
            )
        return self._process

    def _answer(self, process: subprocess.Popen[bytes]) -> bytes | None:
        """The next line; None when the time is over; a line without its end when the process has died."""
        assert process.stdout is not None
        deadline = time.monotonic() + self._seconds
        parts: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    return None
                block = os.read(process.stdout.fileno(), 1 << 20)
                parts.append(block)
                if not block or block.endswith(b"\n"):
                    return b"".join(parts)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        continue
            self._process = None
