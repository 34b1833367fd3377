"""Named fault points: where STUDIO_FAULT names one, the process dies there, as by a power cut, or is held there. For tests of what
happens at a moment that would be hit only by luck.
"""

import os
import signal
import time
from pathlib import Path

LONGEST_HOLD = 60.0  # seconds; a test that forgot to let go must not hang
LOOK_EVERY = 0.02  # seconds


def fault(name: str) -> None:
    """Kill this very process (SIGKILL) if ``STUDIO_FAULT`` is ``name``; hold it instead where ``STUDIO_FAULT_HOLD`` names a file.

    A hold makes that file and lasts until somebody has removed it; after ``LONGEST_HOLD`` the process is killed all the same.
    ``STUDIO_FAULT_ONCE`` names a file that is made first; where it is there already, nothing happens, so that the next attempt lives.
    """
    if os.environ.get("STUDIO_FAULT") != name:
        return
    once = os.environ.get("STUDIO_FAULT_ONCE")
    if once:
        if Path(once).exists():
            return
        Path(once).touch()
    hold = os.environ.get("STUDIO_FAULT_HOLD")
    if not (hold and _let_go(Path(hold))):
        os.kill(os.getpid(), signal.SIGKILL)


def _let_go(file: Path) -> bool:
    """Make ``file`` and wait until it is gone; False when nobody removed it in time."""
    file.touch()
    deadline = time.monotonic() + LONGEST_HOLD
    while file.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_EVERY)  # a signal is handled meanwhile: a held process can be asked to stop
    return True
