"""``./studio up`` for real: two homes and two clones side by side, and one of a user without rights."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from dslm_studio.launch.install import ROOT
from dslm_studio.launch.testing import bare_environment
from tests.launch.conftest import Launcher, clone, end, is_well, serving

NOBODY = "nobody"


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


@pytest.mark.slow
def test_two_clones_are_served_side_by_side_and_stopping_one_leaves_the_other(tmp_path: Path, up: Callable[..., Launcher]) -> None:
    clones = [clone(tmp_path / "plain"), clone(tmp_path / "with a space")]
    launchers = [up(root=root) for root in clones]
    plain, spaced = (serving(launcher, root / "var") for launcher, root in zip(launchers, clones, strict=True))
    assert len({plain.port, plain.serve_port, spaced.port, spaced.serve_port}) == 4
    assert is_well(plain) and is_well(spaced)
    for studio, root in ((plain, clones[0]), (spaced, clones[1])):
        assert psutil.Process(studio.children["web"].pid).cwd() == str(root)
    stopped = subprocess.run([clones[1] / "studio", "stop"], env=bare_environment(), capture_output=True, text=True, timeout=60)
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert not any(child.alive() for child in spaced.children.values())
    assert is_well(plain) and all(child.alive() for child in plain.children.values())
    end(launchers[0])
    assert not any(child.alive() for child in plain.children.values())


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
