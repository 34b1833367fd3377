"""One attempt in several processes on this machine, one a GPU: started, stopped and judged together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from engine.exits import Exit
from engine.probes import cores
from engine.spec import WORK

RENDEZVOUS = "STUDIO_RENDEZVOUS"  # a file by which the processes find one another; none is needed where a launcher names an address
PATIENCE = 20.0  # seconds that the others have to end once one has failed
TICK = 0.1


def is_member() -> bool:
    """Whether this process is one of several: started by `lead`, or by a launcher of PyTorch's or accelerate's over several machines."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_first() -> bool:
    """Whether this process speaks and writes for all; one alone does."""
    return os.environ.get("RANK", "0") == "0"


def lead(run_dir: Path, count: int) -> int:
    """Run the attempt in ``run_dir`` in ``count`` processes; the exit code of the one that decides.

    That is the first to fail; where none does, the first of all. A process that was ended by a signal ends this one by the same signal,
    so that the supervisor sees what it would see of one process.
    """
    work = run_dir / WORK
    work.mkdir(exist_ok=True)
    meeting = work / "rendezvous"
    meeting.unlink(missing_ok=True)
    members = [_start(run_dir, rank, count, meeting) for rank in range(count)]

    def pass_on(number: int, _: object) -> None:
        for member in members:
            member.send_signal(number)  # to one that has ended this does nothing

    signal.signal(signal.SIGTERM, pass_on)
    culprit: int | None = None
    since = time.monotonic()
    while True:
        codes = [member.poll() for member in members]
        if culprit is None:
            # the others wait for it in the middle of a step, and would for ever, or fail because of it
            culprit = next((code for code in codes if code not in (None, Exit.DONE, Exit.STOPPED)), None)
            since = time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            for member in members:
                member.kill()
        if None not in codes:
            return _end_like((codes[0] or 0) if culprit is None else culprit)
        time.sleep(TICK)


def _start(run_dir: Path, rank: int, count: int, meeting: Path) -> subprocess.Popen[bytes]:
    variables = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, RENDEZVOUS: meeting}
    variables["OMP_NUM_THREADS"] = max(1, cores() // count)  # together they have as many threads as there are cores
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    return subprocess.Popen([sys.executable, "-m", "engine", "run", str(run_dir)], env=environment)


def _end_like(code: int) -> int:
    """``code``; a signal ends this process as well."""
    if code < 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code
