"""The peak memory the demo reports covers the whole studio, its grandchildren too."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dslm_studio.demo.memory import PeakMemory, resident_bytes
from dslm_studio.launch.state import Home, Instance, Recorded, recorded

HOLD = "import sys, subprocess; data = bytearray(150_000_000); print('full', flush=True); sys.stdin.read()"
NEST = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"


def write_home(folder: Path, launcher: Recorded) -> Path:
    home = Home(folder)
    home.prepare()
    home.write(
        Instance(launcher=launcher, url="", health="", serve_url="", redis_url="", port=1, serve_port=2, began=time.time(), ready=True)
    )
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return write_home(tmp_path / "home", recorded(os.getpid()))


def test_the_peak_counts_what_a_grandchild_held_and_is_kept_after_it_ended(home: Path) -> None:
    before = resident_bytes(home)
    assert before >= psutil.Process().memory_info().rss * 0.9
    with PeakMemory(home) as memory:
        child = subprocess.Popen([sys.executable, "-c", NEST], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline() == b"full\n"
        deadline = time.monotonic() + 20
        while memory.bytes < before + 150_000_000 and time.monotonic() < deadline:
            time.sleep(0.05)
        child.communicate()
    assert memory.bytes >= before + 150_000_000
    assert resident_bytes(home) < before + 100_000_000


def test_without_a_running_studio_there_is_nothing_to_count(tmp_path: Path) -> None:
    assert resident_bytes(tmp_path) == 0
    assert resident_bytes(write_home(tmp_path / "left", Recorded(pid=os.getpid(), started="another boot"))) == 0
