"""A second start of the demo, by its real command."""

import json
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from dslm_studio.launch.state import Home
from dslm_studio.launch.testing import bare_environment
from tests.demo.test_reporting import MADE
from tests.launch.conftest import clone, serving

SECONDS = 120  # building it takes many minutes; this a tenth of that where nothing else runs


def belongs_to(home: Path) -> list[str]:
    """The processes that work for this home, whoever started them."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            ours = process.environ().get("STUDIO_HOME") == str(home) or any(str(home) in word for word in process.info["cmdline"] or [])
        except psutil.Error:
            continue
        if ours:
            found.append(" ".join(process.info["cmdline"] or []))
    return found


@pytest.mark.slow
def test_a_finished_demo_is_told_again_in_seconds_and_nothing_is_left_running(tmp_path: Path) -> None:
    root = clone(tmp_path / "clone")
    home = root / "var"
    (home / "demo").mkdir(parents=True)
    report = home / "demo" / "report.json"
    report.write_text(json.dumps({**MADE, "seconds": {"total": 468.0}}))
    written = report.read_bytes()
    began = time.monotonic()
    command = [str(root / "studio"), "demo", "--exit"]
    launcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=bare_environment())
    try:
        studio = serving(launcher, home)
        assert len(belongs_to(home)) > len(studio.children), "the search for processes finds them while they run"
        said, _ = launcher.communicate(timeout=SECONDS)
    finally:
        launcher.terminate()
        launcher.wait(SECONDS)
    assert time.monotonic() - began < SECONDS
    assert launcher.returncode == 0, said
    assert "Took 7.8 minutes." in said and f"Found as it was left. The report: {report}" in said
    assert "✗" not in said and "Traceback" not in said
    assert report.read_bytes() == written
    assert belongs_to(home) == [] and not any(child.alive() for child in studio.children.values())
    assert Home(home).read() is None
