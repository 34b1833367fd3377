"""Named fault points: the process dies at one, as by a power cut, when STUDIO_FAULT names it. For the tests of recovery."""

import os
import signal
from pathlib import Path


def fault(name: str) -> None:
    """Kill this very process (SIGKILL) if ``STUDIO_FAULT`` is ``name``.

    ``STUDIO_FAULT_ONCE`` names a file that is made first; where it is there already, nothing happens, so that the next attempt lives.
    """
    if os.environ.get("STUDIO_FAULT") != name:
        return
    once = os.environ.get("STUDIO_FAULT_ONCE")
    if once:
        if Path(once).exists():
            return
        Path(once).touch()
    os.kill(os.getpid(), signal.SIGKILL)
