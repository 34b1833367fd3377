"""A process at a named fault point dies, or is held until it is let go."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.materials import ROOT
from tests.runs.conftest import wait_until

PROGRAM = "from engine import faults; faults.LONGEST_HOLD = {longest}; faults.fault('here'); print('went on', flush=True)"


def start(longest: float = 60, **variables: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM.format(longest=longest)]
    return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("variables", [{}, {"STUDIO_FAULT": "there"}])
def test_nothing_happens_where_no_fault_is_asked_for(variables: dict[str, str]) -> None:
    assert start(**variables).communicate(timeout=30)[0] == "went on\n"


def test_it_dies_at_the_point_that_is_named_once(tmp_path: Path) -> None:
    fault = {"STUDIO_FAULT": "here", "STUDIO_FAULT_ONCE": str(tmp_path / "once")}
    first = start(**fault)
    assert (first.communicate(timeout=30)[0], first.returncode) == ("", -9)
    assert start(**fault).communicate(timeout=30)[0] == "went on\n"


def test_it_is_held_until_the_file_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "held"
    process = start(STUDIO_FAULT="here", STUDIO_FAULT_HOLD=str(file))
    wait_until(file.exists, 30)
    assert process.poll() is None
    file.unlink()
    assert (process.communicate(timeout=30)[0], process.returncode) == ("went on\n", 0)


def test_a_hold_that_nobody_ends_kills_it(tmp_path: Path) -> None:
    process = start(longest=0.2, STUDIO_FAULT="here", STUDIO_FAULT_HOLD=str(tmp_path / "held"))
    assert (process.communicate(timeout=30)[0], process.returncode) == ("", -9)
