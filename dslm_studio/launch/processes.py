"""Starting processes, starting them again when they die, and stopping them: each leads a process group of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dslm_studio.launch import terminal
from dslm_studio.launch.state import Recorded, recorded, rotate, tail
from dslm_studio.launch.terminal import Problem

BACK_OFF = (0.3, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds before each further start
STEADY = 60.0  # seconds alive after which the back-off begins anew
GIVE_UP = 4  # deaths before it was ready even once: it will not come up
LOG_LOOK = 30.0  # seconds between two looks at the logs' sizes


@dataclass(frozen=True)
class Program:
    """What to start. ``ready`` says whether it answers; without one, being alive is enough.

    ``sign`` is a file that the program touches while it works; what an earlier start left of it is removed first.
    """

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    folder: Path
    log: Path
    grace: float = 10.0
    ready: Callable[[], bool] | None = None
    sign: Path | None = None


@dataclass
class Child:
    """A program that is being kept alive."""

    program: Program
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    deaths: int = 0
    deaths_in_a_row: int = 0
    start_at: float | None = None
    was_ready: bool = False
    told_to_end: bool = False
    record: Recorded | None = None

    def start(self) -> None:
        rotate(self.program.log)
        self.start_at = None
        if self.program.sign:
            self.program.sign.unlink(missing_ok=True)
        with open(self.program.log, "ab") as log:
            self.process = subprocess.Popen(
                list(self.program.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.program.environment,
                cwd=self.program.folder,
                start_new_session=True,
            )
        self.began = time.monotonic()
        self.record = recorded(self.process.pid)

    def exited(self) -> int | None:
        """The exit status of a process that just ended, else None. What is left of its group ends with it."""
        if self.process is None:
            return None
        # Look without reaping: while the dead leader is not reaped, no new group can have its number.
        if os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        self._kill_group()
        code = self.process.wait()
        self.process = None
        return code

    def terminate(self) -> None:
        """SIGTERM to the process itself, once, and no further start."""
        self.start_at = None
        if self.process is not None and not self.told_to_end:
            self._send(signal.SIGTERM)
        self.told_to_end = True

    def finish(self, deadline: float) -> bool:
        """Wait until it has ended; at ``deadline`` (monotonic) kill its group. True when it went by itself."""
        while self.process is not None:
            if self.exited() is not None:
                return True
            if time.monotonic() >= deadline:
                self._kill_group()
                self.process.wait()
                self.process = None
                return False
            time.sleep(0.03)
        return True

    def _send(self, number: signal.Signals) -> None:
        assert self.process is not None
        try:
            os.kill(self.process.pid, number)
        except ProcessLookupError:
            pass

    def _kill_group(self) -> None:
        assert self.process is not None
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


@dataclass
class Supervisor:
    """Keeps its children alive. ``changed`` is called whenever a process id changes."""

    changed: Callable[[], None] = lambda: None
    children: dict[str, Child] = field(default_factory=dict)
    _looked_at_logs: float = field(default_factory=time.monotonic)

    def start(self, program: Program) -> Child:
        child = self.children[program.name] = Child(program)
        child.start()
        self.changed()
        return child

    def look(self) -> None:
        """One round: notice who died, start again whose time has come, keep the logs small."""
        now = time.monotonic()
        for child in self.children.values():
            code = child.exited()
            if code is not None and not child.told_to_end:
                self._died(child, code, now)
            elif child.start_at is not None and now >= child.start_at:
                child.start()
                self.changed()
            elif child.process and child.deaths_in_a_row and now - child.began > STEADY:
                child.deaths_in_a_row = 0
        if now - self._looked_at_logs > LOG_LOOK:
            self._looked_at_logs = now
            for child in self.children.values():
                rotate(child.program.log)

    def _died(self, child: Child, code: int, now: float) -> None:
        name = child.program.name
        child.deaths += 1
        child.deaths_in_a_row += 1
        if not child.was_ready and child.deaths_in_a_row >= GIVE_UP:
            end = tail(child.program.log)
            raise Problem(
                f"{name} does not start ({ending(code)}). The end of {child.program.log}:\n{end}", "./studio doctor may know why."
            )
        pause = BACK_OFF[min(child.deaths_in_a_row, len(BACK_OFF)) - 1]
        child.start_at = now + pause
        self.changed()
        terminal.warn(f"{name} ended ({ending(code)}); starting it again in {pause:g} s. Its log: {child.program.log}")

    def wait_ready(self, names: Sequence[str], timeout: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Return when all of these answer. Raises ``Problem`` when one does not in time."""
        deadline = time.monotonic() + timeout
        waiting = list(names)
        while waiting and not stop():
            self.look()
            for name in list(waiting):
                child = self.children[name]
                if child.process and (child.program.ready is None or child.program.ready()):
                    child.was_ready = True
                    waiting.remove(name)
            if waiting and time.monotonic() > deadline:
                log = self.children[waiting[0]].program.log
                raise Problem(
                    f"{waiting[0]} does not answer after {timeout:.0f} s. The end of {log}:\n{tail(log)}",
                    "Start again, or look at ./studio doctor.",
                )
            if waiting:
                time.sleep(0.1)

    def stop(self, names: Sequence[str]) -> list[str]:
        """SIGTERM to these in the given order, then wait for each. Returns those that had to be killed."""
        children = [self.children[name] for name in names if name in self.children]
        for child in children:
            child.terminate()
        began = time.monotonic()
        killed = [child.program.name for child in children if not child.finish(began + child.program.grace)]
        for child in children:
            self.children.pop(child.program.name)
        self.changed()
        return killed


def ending(code: int) -> str:
    """An exit status in words."""
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
