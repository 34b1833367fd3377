"""python -m engine.shim RUN_DIR: start the engine and write exit.json when it ends, so that the exit is known even if nobody watched.

The shim leads the process group of the run. It ignores SIGTERM (the engine gets its own) and dies with SIGKILL to the group.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

EXIT_FILE = "exit.json"


def main(run_dir: Path) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(run_dir / "log.txt", "ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "engine", "run", str(run_dir)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # an ignored signal is inherited: give the engine its default back
            preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL),
        )
        code = child.wait()
    temporary = run_dir / (EXIT_FILE + ".tmp")
    temporary.write_text(json.dumps({"code": code, "ts": time.time()}))
    os.replace(temporary, run_dir / EXIT_FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
