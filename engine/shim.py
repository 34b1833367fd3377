"""python -m engine.shim RUN_DIR: start the engine and write exit.json when it ends, so that the exit is known even if nobody watched.

The shim leads the process group of the run. It ignores SIGTERM (the engine gets its own) and dies with a SIGKILL to the group, which it
sends itself once the engine has ended: a converter or parser that a crashed engine left behind would hold the memory the next run needs.
shim.json tells who they are before any supervisor could have written it down.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

EXIT_FILE = "exit.json"
SHIM_FILE = "shim.json"


def main(run_dir: Path) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    me = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    _write(run_dir / SHIM_FILE, me)
    with open(run_dir / "log.txt", "ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "engine", "run", str(run_dir)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_default_sigterm,  # an ignored signal is inherited
        )
        _write(run_dir / SHIM_FILE, {**me, "engine": child.pid})
        code = child.wait()
    _write(run_dir / EXIT_FILE, {"code": code, "ts": time.time()})
    if os.getpgrp() == os.getpid():  # started by hand, it is in the group of somebody's shell
        os.killpg(os.getpgrp(), signal.SIGKILL)
    return 0


def _default_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _write(path: Path, content: dict[str, object]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content))
    os.replace(temporary, path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
