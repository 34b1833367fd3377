"""``./studio up`` for real: two side by side, and one of a user without rights."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dslm_studio.launch.install import ROOT
from dslm_studio.launch.state import Home, Instance
from dslm_studio.launch.testing import bare_environment

PATIENCE = 120.0  # seconds; it takes a tenth of that where nothing else runs
NOBODY = "nobody"

Launcher = subprocess.Popen[str]


@pytest.fixture
def up() -> Iterator[Callable[..., Launcher]]:
    """``up(home)``: start a studio there, behind a command if one is given, and return its launcher at once; it ends with the test."""
    launchers = []

    def start(home: Path, behind: Sequence[str] = ()) -> Launcher:
        environment = bare_environment() | {"STUDIO_HOME": str(home), "HOME": str(home)}
        command = [*behind, sys.executable, "-m", "dslm_studio.launch", "up"]
        launcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=ROOT)
        launchers.append(launcher)
        return launcher

    yield start
    for launcher in launchers:
        launcher.terminate()
    for launcher in launchers:
        launcher.communicate(timeout=PATIENCE)


@pytest.fixture
def as_nobody() -> list[str]:
    """The command that runs another as a user who may write nowhere; who may read everything only where this clone is closed to others."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can be somebody else, by setpriv; whoever else runs these tests serves without rights already")
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={pwd.getpwnam(NOBODY).pw_gid}", "--clear-groups"]
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    starts_itself = "import django, subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    for command in (become, [*become, *reading]):
        if not subprocess.run([*command, sys.executable, "-c", starts_itself], cwd=ROOT, capture_output=True).returncode:
            return command
    pytest.skip(f"{NOBODY} may not read this clone, and may not be given the right to")


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


@pytest.mark.slow
def test_two_homes_are_served_side_by_side_and_stopping_one_leaves_the_other(tmp_path: Path, up: Callable[..., Launcher]) -> None:
    homes = [tmp_path / "one home", tmp_path / "another home"]
    launchers = [up(home) for home in homes]
    one, other = (serving(launcher, home) for launcher, home in zip(launchers, homes, strict=True))
    assert len({one.port, one.serve_port, other.port, other.serve_port}) == 4
    assert is_well(one) and is_well(other)
    end(launchers[0])
    assert not any(child.alive() for child in one.children.values())
    assert is_well(other) and all(child.alive() for child in other.children.values())
    end(launchers[1])
    assert not any(child.alive() for child in other.children.values())


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    """The tests' own folders are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="studio-nobody-"))
    shutil.chown(folder, NOBODY)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_user_without_rights_can_serve_from_a_home_of_their_own(
    as_nobody: list[str], nobodys_folder: Path, up: Callable[..., Launcher]
) -> None:
    home = nobodys_folder / "home"
    launcher = up(home, behind=as_nobody)
    studio = serving(launcher, home)
    assert is_well(studio)
    assert {Path(f"/proc/{child.pid}").owner() for child in studio.children.values()} == {NOBODY}
    end(launcher)
