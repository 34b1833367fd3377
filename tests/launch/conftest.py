"""What the launcher's tests share: a home with a long or odd name, small real programs, and whole studios."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dslm_studio.launch import install
from dslm_studio.launch.install import ROOT
from dslm_studio.launch.processes import Program, Supervisor
from dslm_studio.launch.state import Home, Instance
from dslm_studio.launch.testing import bare_environment

PATIENCE = 120.0  # seconds; it takes a tenth of that where nothing else runs
Launcher = subprocess.Popen[str]
SLEEPER = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "a home with spaces")
    found.prepare()
    return found


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    found = Supervisor()
    yield found
    found.stop(list(reversed(found.children)))


@pytest.fixture
def program(home: Home) -> Callable[..., Program]:
    """``program("name", "python source")``: a small real program, logging into the home."""

    def make(name: str, source: str = SLEEPER, grace: float = 5.0, **more: object) -> Program:
        return Program(name, [sys.executable, "-c", source], dict(os.environ), home.folder, home.log(name), grace, **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def up() -> Iterator[Callable[..., Launcher]]:
    """``up(home)`` starts a studio there, behind a command if one is given; ``up(root=clone)`` the one of a clone, in its own home.

    Both return the launcher at once; it ends with the test.
    """
    launchers = []

    def start(home: Path | None = None, behind: Sequence[str] = (), root: Path = ROOT) -> Launcher:
        environment = bare_environment() | ({"STUDIO_HOME": str(home), "HOME": str(home)} if home else {})
        command = [*behind, sys.executable, "-m", "dslm_studio.launch", "up"] if root == ROOT else [str(root / "studio"), "up"]
        launcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=root)
        launchers.append(launcher)
        return launcher

    yield start
    for launcher in launchers:
        launcher.terminate()
    for launcher in launchers:
        launcher.communicate(timeout=PATIENCE)


def serving(launcher: Launcher, home: Path) -> Instance:
    """What is recorded of the studio, once all of it answers."""
    deadline = time.monotonic() + PATIENCE
    while not ((found := Home(home).read()) and found.ready):
        assert launcher.poll() is None, launcher.communicate()[0]
        assert time.monotonic() < deadline, "it does not come up"
        time.sleep(0.1)
    return found


def is_well(studio: Instance) -> bool:
    with urllib.request.urlopen(studio.health, timeout=5) as answer:
        return bool(json.load(answer)["ok"])


def end(launcher: Launcher) -> None:
    launcher.terminate()
    output, _ = launcher.communicate(timeout=PATIENCE)
    assert launcher.returncode == 0 and "killed" not in output, output


def clone(into: Path) -> Path:
    """``into``, as a copy of what belongs to this repository, with this installation, which it takes for complete."""
    ours = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in filter(None, subprocess.run(ours, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")):
        if (ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, into / name)
    venv = into / ".venv"
    venv.mkdir()
    for part in install.VENV.iterdir():
        if part != install.STAMP:
            (venv / part.name).symlink_to(part)
    (venv / install.STAMP.name).write_text(json.dumps({part.key: part.digest for part in install.parts(dev=True)}))
    return into
