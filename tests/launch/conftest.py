"""What the launcher's tests share: a home with a long or odd name, small real programs, and an own copy of the launcher."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dslm_studio.launch.processes import Program, Supervisor
from dslm_studio.launch.state import Home

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
