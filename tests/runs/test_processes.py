"""The right process is asked, found and ended, and nothing of a run is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runs import processes
from tests.materials import ROOT
from tests.runs.conftest import wait_until

LEADER = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", {engine!r}, sys.argv[1]]).pid, flush=True)
time.sleep(600)
"""
SHIM = "import sys; from pathlib import Path; from engine import shim; sys.executable = sys.argv[1]; shim.main(Path(sys.argv[2]))"


@pytest.fixture
def leader(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A group like that of a run: its leader, and under it an "engine" that ends with 10 when it is asked to; ``shim.json`` names both."""
    engine = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(10)); print('ready', flush=True); time.sleep(600)"
    command = [sys.executable, "-c", LEADER.format(engine=engine), str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    said = {process.stdout.readline().strip(), process.stdout.readline().strip()}
    child = int((said - {b"ready"}).pop())
    shim = processes.Shim(pid=process.pid, started=psutil.Process(process.pid).create_time(), engine=child)
    (tmp_path / processes.SHIM_FILE).write_text(shim.model_dump_json())
    yield process
    process.stdout.close()
    for pid in (process.pid, child):
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def test_an_engine_is_asked_to_stop_although_its_shim_was_killed(leader: subprocess.Popen[bytes], tmp_path: Path) -> None:
    leader.kill()
    leader.wait()
    assert processes.group_alive(tmp_path)
    processes.ask_to_stop(tmp_path)
    wait_until(lambda: not processes.group_alive(tmp_path), 10)


def test_a_killed_group_has_no_survivor(leader: subprocess.Popen[bytes], tmp_path: Path) -> None:
    shim = processes.shim_of(tmp_path)
    assert shim is not None and shim.engine is not None
    processes.kill_group(tmp_path)
    assert leader.wait(10) == -signal.SIGKILL
    wait_until(lambda: not psutil.pid_exists(shim.engine) or psutil.Process(shim.engine).status() == psutil.STATUS_ZOMBIE, 10)
    assert not processes.group_alive(tmp_path)


def test_what_a_crashed_engine_left_running_goes_with_the_shim(tmp_path: Path) -> None:
    engine = tmp_path / "engine.sh"
    engine.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path}/helper\nkill -9 $$\n")
    engine.chmod(0o755)
    shim = subprocess.Popen([sys.executable, "-c", SHIM, str(engine), str(tmp_path)], cwd=ROOT, start_new_session=True)
    shim.wait(20)
    assert processes.exit_code(tmp_path) == -signal.SIGKILL
    helper = int((tmp_path / "helper").read_text())
    wait_until(lambda: not psutil.pid_exists(helper) or psutil.Process(helper).status() == psutil.STATUS_ZOMBIE, 5)


def test_a_shim_started_by_hand_spares_the_group_it_is_in(tmp_path: Path) -> None:
    began = time.monotonic()
    assert subprocess.run([sys.executable, "-c", SHIM, "/bin/false", str(tmp_path)], cwd=ROOT).returncode == 0
    assert processes.exit_code(tmp_path) == 1
    assert time.monotonic() - began < 20
