"""What is recorded about the running studio in STUDIO_HOME, and whether it still holds."""

import fcntl
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import psutil
from pydantic import BaseModel, ValidationError

from dslm_studio.launch.files import write_private
from dslm_studio.launch.terminal import Problem

LOG_LIMIT = 10 * 2**20  # bytes; a larger log is moved aside
LOGS_KEPT = 3


class Recorded(BaseModel):
    """A process, by id and start: an id is used again one day, both together are not."""

    pid: int
    started: str

    def alive(self) -> bool:
        return started(self.pid) == self.started


class Instance(BaseModel):
    """``studio.json``: the launcher and what it started."""

    launcher: Recorded
    url: str
    health: str  # where the web process says whether it is well
    serve_url: str
    redis_url: str
    port: int
    serve_port: int
    began: float
    ready: bool = False
    children: dict[str, Recorded] = {}
    restarts: dict[str, int] = {}
    temporary: str | None = None  # a folder outside STUDIO_HOME that holds the socket

    def orphans(self) -> dict[str, Recorded]:
        """Children still alive though their launcher is not."""
        return {} if self.launcher.alive() else {name: child for name, child in self.children.items() if child.alive()}


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return ""


def started(pid: int) -> str | None:
    """When the process began, as an opaque text that clock changes leave alone; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return None


def recorded(pid: int) -> Recorded:
    return Recorded(pid=pid, started=started(pid) or "")


class Home:
    """STUDIO_HOME: where everything a studio keeps lies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self.logs = self.folder / "logs"
        self.redis = self.folder / "redis"
        self.alive = self.folder / "alive"
        self.state_file = self.folder / "studio.json"
        self.lock_file = self.folder / "studio.lock"
        self.ports_file = self.folder / "ports.json"
        self.secret_file = self.folder / "secret.key"
        self._lock: int | None = None

    def prepare(self) -> None:
        """Make the folders. Raises ``Problem`` where it may not."""
        try:
            if not self.folder.exists():
                self.folder.mkdir(mode=0o700, parents=True)
            self.logs.mkdir(exist_ok=True)
            self.alive.mkdir(exist_ok=True)
            self.redis.mkdir(mode=0o700, exist_ok=True)
            self.redis.chmod(0o700)
            probe = self.folder / f".write-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            mend = "Give yourself the right to write there, or set STUDIO_HOME to another folder."
            raise Problem(f"{self.folder} cannot be written: {error.strerror}.", mend) from None

    def lock(self) -> bool:
        """Take the lock that one launcher holds as long as it lives; False when another has it."""
        handle = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._lock = handle
        return True

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def locked(self) -> bool:
        """Whether a launcher lives on this home."""
        if self._lock is not None:
            return True
        try:
            handle = os.open(self.lock_file, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def read(self) -> Instance | None:
        try:
            return Instance.model_validate_json(self.state_file.read_text())
        except (OSError, ValidationError):
            return None

    def write(self, instance: Instance) -> None:
        write_private(self.state_file, instance.model_dump_json(indent=1))

    def forget(self) -> None:
        self.state_file.unlink(missing_ok=True)

    def secret_key(self) -> str:
        """The key that signs sessions: made once, readable by its owner alone."""
        try:
            with open(os.open(self.secret_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                handle.write(secrets.token_urlsafe(48))
        except FileExistsError:
            pass
        return self.secret_file.read_text().strip()

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def sign(self, name: str) -> Path:
        """The file that a process without an address touches as long as it works."""
        return self.alive / name


def rotate(log: Path, limit: int = LOG_LIMIT) -> None:
    """Move a log that has grown too large aside. Its writer appends, so copying and truncating loses nothing but the moment."""
    try:
        if log.stat().st_size <= limit:
            return
        for number in range(LOGS_KEPT, 1, -1):
            older = log.with_suffix(f".log.{number - 1}")
            if older.exists():
                os.replace(older, log.with_suffix(f".log.{number}"))
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
    except FileNotFoundError:
        pass


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log."""
    try:
        with open(log, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 32_768))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def end_recorded(children: Iterable[Recorded], grace: float) -> None:
    """SIGTERM to each of these processes, then SIGKILL to the group it leads. One whose start does not match is left alone."""
    todo = [child for child in children if child.alive()]
    for child in todo:
        _signal(child, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while todo and time.monotonic() < deadline:
        time.sleep(0.05)
        todo = [child for child in todo if child.alive()]
    for child in todo:
        if child.alive() and os.getpgid(child.pid) == child.pid:
            _signal(child, signal.SIGKILL, group=True)
    deadline = time.monotonic() + 5
    while any(child.alive() for child in todo) and time.monotonic() < deadline:
        time.sleep(0.02)


def _signal(child: Recorded, number: signal.Signals, *, group: bool = False) -> None:
    try:
        os.killpg(child.pid, number) if group else os.kill(child.pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def clean_up(home: Home, instance: Instance, *, grace: float = 15.0) -> list[str]:
    """End what a killed launcher left behind and forget it. Returns the names of what was ended. Needs the lock."""
    orphans = instance.orphans()
    server = orphans.pop("redis", None)
    end_recorded(orphans.values(), grace)
    if server:  # last: the others rely on it
        end_recorded([server], grace)
        orphans["redis"] = server
    if instance.temporary and Path(instance.temporary).name.startswith("studio-"):
        shutil.rmtree(instance.temporary, ignore_errors=True)
    home.forget()
    return sorted(orphans)
