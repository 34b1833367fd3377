"""The running studio that browser tests share: its processes, its home, its database as another process sees it."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from dslm_studio.launch.state import Home, Instance, Recorded, recorded
from tests.materials import ROOT

# Set for the tests of this process alone: a studio chooses its own
OURS = (
    "STUDIO_HOME", "STUDIO_SERVE_SECRET", "STUDIO_HEARTBEAT_STALE", "STUDIO_STOP_GRACE", "STUDIO_URL", "STUDIO_SERVE_URL",
    "STUDIO_SECRET_KEY", "REDIS_URL", "DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PYTEST_CURRENT_TEST",
)  # fmt: skip
STOP_PATIENCE = 180.0  # seconds
LOGS_SHOWN = 25  # lines of each


def new_sign_in_link(home: Path) -> str:
    """A fresh one-time link for the first owner of the studio at ``home``."""
    state = json.loads((home / "studio.json").read_text())
    environment = {**os.environ, "STUDIO_HOME": str(home), "STUDIO_URL": state["url"], "DJANGO_SETTINGS_MODULE": "dslm_studio.settings"}
    command = [sys.executable, "manage.py", "studio_first_owner"]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    link: str = json.loads(made.stdout)["sign_in_link"]
    return link


class StudioFailed(AssertionError):
    """The studio did not do what every test relies on; says what it printed and logged."""


@dataclass
class RunningStudio:
    """``./studio demo`` on ``home``. Without a process it was running already and is left as it is."""

    home: Path
    output: Path
    process: subprocess.Popen[bytes] | None = None
    seen: dict[int, Recorded] = field(default_factory=dict)

    @property
    def state(self) -> Instance:
        found = Home(self.home).read()
        assert found is not None, f"No studio.json in {self.home}"
        return found

    @property
    def url(self) -> str:
        return self.state.url

    @property
    def processes(self) -> dict[str, Recorded]:
        """What the launcher runs now, by name."""
        return self.state.children

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "demo" / "report.json").read_text("utf-8"))
        return found

    def sign_in_link(self) -> str:
        return new_sign_in_link(self.home)

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        return kept | {"STUDIO_HOME": str(self.home), "DJANGO_SETTINGS_MODULE": "dslm_studio.settings"}

    def launcher(self, *verb: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """``./studio VERB`` on this home, in another process."""
        command = [sys.executable, str(ROOT / "studio"), *verb]
        return subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=timeout)

    def django(self, code: str, timeout: float = 300) -> Any:
        """Run ``code`` among the studio's apps, on its database; what it left in ``answer``."""
        script = f"import json, django\ndjango.setup()\n{code}\nprint('\\n' + json.dumps(answer, default=str))"
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.strip().splitlines()[-1])

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database holds at this moment; UUIDs are hex without dashes."""
        with closing(sqlite3.connect(f"file:{self.home / 'studio.sqlite3'}?mode=ro", uri=True, timeout=30)) as line:
            return line.execute(query, values).fetchall()

    def look(self) -> None:
        """Remember every process that belongs to this studio now."""
        for found in [self.state.launcher, *self.state.children.values()]:
            self.seen[found.pid] = found
            try:
                for child in psutil.Process(found.pid).children(recursive=True):
                    self.seen[child.pid] = recorded(child.pid)
            except psutil.Error:
                continue

    def kill(self, name: str) -> None:
        """SIGKILL to one of the processes; returns when the launcher has started it again and it can be used."""
        self.look()
        before = self.processes[name]
        os.kill(before.pid, signal.SIGKILL)
        self.wait(lambda: name in self.processes and self.processes[name].pid != before.pid, 60, f"{name} was not started again")
        self.look()

    def wait(self, true: Callable[[], bool], seconds: float, otherwise: str) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if self.process is not None and self.process.poll() is not None:
                raise StudioFailed(f"The studio ended by itself with {self.process.returncode}.\n{self.told()}")
            if time.monotonic() > deadline:
                raise StudioFailed(f"{otherwise} within {seconds:.0f} s.\n{self.told()}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Ctrl+C. Raises ``StudioFailed`` when anything it started outlives it."""
        if self.process is None:
            return
        self.look()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self._kill_all()
            raise StudioFailed(f"Ctrl+C did not stop it within {STOP_PATIENCE:.0f} s.\n{self.told()}") from None
        left = [one.pid for one in self.seen.values() if one.alive()]
        self._kill_all()
        if left:
            raise StudioFailed(f"Still alive after Ctrl+C: {left}.\n{self.told()}")
        if self.process.returncode:
            raise StudioFailed(f"It ended with {self.process.returncode}.\n{self.told()}")

    def _kill_all(self) -> None:
        for one in self.seen.values():
            if one.alive():
                os.kill(one.pid, signal.SIGKILL)

    def told(self) -> str:
        """The end of what it printed and of every log."""
        files = [self.output, *sorted((self.home / "logs").glob("*.log"))]
        parts = []
        for file in files:
            if file.is_file():
                lines = file.read_text("utf-8", "replace").splitlines()[-LOGS_SHOWN:]
                parts.append("\n".join([f"--- {file} ---", *lines]))
        return "\n".join(parts)


def start_demo(home: Path, output: Path, patience: float) -> RunningStudio:
    """``./studio demo``, until the report is written and it says how to stop it."""
    studio = RunningStudio(home, output)
    found = Home(home).read() if home.is_dir() else None
    if found is not None and found.launcher.alive():
        assert (home / "demo" / "report.json").is_file(), f"The studio that runs in {home} has not finished its demo."
        return studio
    with open(output, "wb") as out:
        command = [sys.executable, str(ROOT / "studio"), "demo"]
        studio.process = subprocess.Popen(
            command, cwd=ROOT, env=studio.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )

    def serving() -> bool:
        text = output.read_text("utf-8", "replace")
        if "The demo did not finish" in text:
            raise StudioFailed(studio.told())
        return "Ctrl+C stops it." in text

    try:
        studio.wait(serving, patience, "The demo was not ready")
        assert (home / "demo" / "report.json").is_file(), studio.told()
    except BaseException:
        studio.process.send_signal(signal.SIGTERM)
        try:
            studio.process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            studio.process.kill()
        raise
    return studio
