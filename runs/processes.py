"""Starting, finding and ending the engine of a run, by process id and start time, so that a reused id is never mistaken for it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
from pydantic import BaseModel

from engine.shim import EXIT_FILE, SHIM_FILE


class Shim(BaseModel):
    """What the shim wrote about itself: it leads the process group; ``engine`` is its child."""

    pid: int
    started: float
    engine: int | None = None


def start(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the shim for the attempt in ``folder`` as leader of its own session. Its words go to ``log.txt``."""
    with open(folder / "log.txt", "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "engine.shim", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )


def shim_of(folder: Path) -> Shim | None:
    try:
        return Shim.model_validate_json((folder / SHIM_FILE).read_text())
    except (OSError, ValueError):
        return None


def _shim_alive(shim: Shim, folder: Path) -> bool:
    """Whether the shim runs: the process of its id names this attempt, or began when it did. A zombie does not run.

    Its name comes first: a clock that is set while it runs moves the start time of every process.
    """
    try:
        process = psutil.Process(shim.pid)
        ours = str(folder) in process.cmdline() or abs(process.create_time() - shim.started) < 2
        return ours and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def ask_to_stop(folder: Path) -> None:
    """SIGTERM to the engine alone, even if its shim is gone: it saves and leaves; its helpers go with it."""
    shim = shim_of(folder)
    if shim and shim.engine and _engine_alive(shim, folder):
        try:
            os.kill(shim.engine, signal.SIGTERM)
        except ProcessLookupError:
            pass


def kill_group(folder: Path) -> None:
    """SIGKILL to the run's process group, if its leader is the one we started or its group still has members of ours."""
    shim = shim_of(folder)
    if not shim:
        return
    if not _shim_alive(shim, folder) and not _engine_alive(shim, folder):
        return
    try:
        os.killpg(shim.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def group_alive(folder: Path) -> bool:
    """Whether the shim, or an engine that outlived it, still runs."""
    shim = shim_of(folder)
    return bool(shim and (_shim_alive(shim, folder) or _engine_alive(shim, folder)))


def _engine_alive(shim: Shim, folder: Path) -> bool:
    """Whether the engine runs: it is in the shim's group, and its command line names this attempt. Its shim may have been killed."""
    if not shim.engine:
        return False
    try:
        process = psutil.Process(shim.engine)
        return process.status() != psutil.STATUS_ZOMBIE and os.getpgid(shim.engine) == shim.pid and str(folder) in process.cmdline()
    except (psutil.Error, ProcessLookupError):
        return False


def exit_code(folder: Path) -> int | None:
    """The engine's exit code (negative: the signal that ended it), or None when the shim could not write it."""
    try:
        return int(json.loads((folder / EXIT_FILE).read_text())["code"])
    except (OSError, ValueError, KeyError):
        return None


def log_tail(folder: Path, lines: int = 40, limit_bytes: int = 65536) -> str:
    """The last lines of the attempt's log."""
    try:
        with open(folder / "log.txt", "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit_bytes))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""
