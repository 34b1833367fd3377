"""``./studio test``: the checks, then the whole test suite. Its last line is pytest's summary, unless a check failed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from dslm_studio.launch import machine, terminal
from dslm_studio.launch.install import ROOT
from dslm_studio.launch.terminal import Problem, Step

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUICK = "not slow and not e2e and not demo"


@dataclass(frozen=True)
class Checking:
    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


def checks() -> list[Checking]:
    """Every check beside the tests, the slowest first."""

    def module(name: str, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", name, *arguments)

    manage = (sys.executable, "manage.py")
    lint_imports = (sys.executable, "-c", "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())")
    return [
        Checking("types", module("mypy")),
        Checking("templates", module("djlint", "templates", "--lint", "--quiet")),
        Checking("floors", lint_imports),
        # As it would be served to others: behind HTTPS, where no warning is silenced
        Checking("deployment", (*manage, "check", "--deploy", "--fail-level", "WARNING"), {"STUDIO_URL": "https://studio.example"}),
        Checking("migrations", (*manage, "makemigrations", "--check", "--dry-run")),
        Checking("lint", module("ruff", "check")),
        Checking("format", module("ruff", "format", "--check")),
    ]


def run(*, fast: bool, arguments: list[str]) -> int:
    """0 when every check and every test passes. The tests make a home of their own (tests/settings.py)."""
    browser = None if fast else ensure_browser()
    environment = bare_environment()
    if browser:
        environment["STUDIO_CHROMIUM"] = browser
    with tempfile.TemporaryDirectory(prefix="studio-checks-") as folder:
        failed = run_checks(environment | {"STUDIO_HOME": folder, "DJANGO_SETTINGS_MODULE": "dslm_studio.settings"})
    selection = ["-m", QUICK] if fast else []
    sys.stdout.flush()
    tests = subprocess.Popen([sys.executable, "-m", "pytest", *selection, *arguments], env=environment, cwd=ROOT)
    # Ctrl+C reaches pytest by itself; what asks only the launcher to end is passed on, so that fixtures stop what they started
    signal.signal(signal.SIGTERM, lambda *_: tests.send_signal(signal.SIGINT))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tests.wait()
    if failed:
        terminal.bad(f"{len(failed)} of the checks failed: {', '.join(failed)} (shown above the tests)")
    return tests.returncode or (1 if failed else 0)


def bare_environment() -> dict[str, str]:
    """The user's environment less what would lead a test to a studio that is in use."""
    ours = ("STUDIO_CHROMIUM", "STUDIO_TEST_CACHE", "STUDIO_MODELS_DIR")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in ours
        or not (name.startswith(("STUDIO_", "DJANGO_")) or name in ("REDIS_URL", "DATABASE_URL", "VECTOR_STORE_URL", "ARTIFACT_STORE_URL"))
    }
    environment.setdefault("HF_HUB_OFFLINE", "1")
    environment["PATH"] = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", os.defpath)])
    return environment


def run_checks(environment: dict[str, str]) -> list[str]:
    """Run the checks, two at a time; print what failed in full. The names of those that failed."""
    failed: list[tuple[str, str]] = []

    def one(checking: Checking) -> tuple[Checking, int, str, float]:
        began = time.monotonic()
        answer = subprocess.run(
            checking.command, capture_output=True, text=True, env=environment | checking.environment, cwd=ROOT, stdin=subprocess.DEVNULL
        )
        return checking, answer.returncode, (answer.stdout + answer.stderr).strip(), time.monotonic() - began

    with ThreadPoolExecutor(max_workers=2) as pool:
        for checking, code, output, seconds in pool.map(one, checks()):
            if code:
                failed.append((checking.name, output))
                terminal.bad(f"{checking.name:<12} {_shown(checking.command)}", seconds=seconds)
            else:
                terminal.good(f"{checking.name:<12} {_shown(checking.command)}", seconds)
    for name, output in failed:
        terminal.say(f"\n--- {name} ---\n{_shortened(output)}\n")
    return [name for name, _ in failed]


def _shown(command: tuple[str, ...]) -> str:
    if "-c" in command:
        return "lint-imports"
    return " ".join(word for word in command[1:] if word != "-m")


def _shortened(output: str, lines: int = 80) -> str:
    found = output.splitlines()
    return output if len(found) <= lines else "\n".join([*found[:lines], f"… and {len(found) - lines} lines more"])


def browser_path() -> str | None:
    """The Chromium the tests drive: STUDIO_CHROMIUM, or the first one on PATH."""
    named = os.environ.get("STUDIO_CHROMIUM", "").strip()
    if named:
        return named
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def ensure_browser() -> str:
    """Where Chromium is; installs Debian's when it is missing and this is root."""
    found = browser_path()
    if found:
        return found
    line = "apt-get install -y --no-install-recommends chromium"
    if not (shutil.which("apt-get") and machine.is_root()):
        where = f"sudo {line}" if shutil.which("apt-get") else "Install Chromium or Chrome"
        raise Problem(
            "The browser tests need Chromium, which is not installed.",
            f"{where}, or set STUDIO_CHROMIUM to one. `./studio test --fast` does without.",
        )
    with Step("Installing Chromium"):
        _apt("update")
        _apt(*line.split()[1:])
    found = browser_path()
    if found is None:
        raise Problem("apt installed Chromium, but it is not on PATH.", "Set STUDIO_CHROMIUM to it.")
    return found


def _apt(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    answer = subprocess.run(["apt-get", "-qq", *arguments], capture_output=True, text=True, env=environment)
    if answer.returncode:
        end = "\n".join((answer.stdout + answer.stderr).strip().splitlines()[-6:])
        raise Problem(f"apt-get {arguments[0]} failed:\n{end}", "Install Chromium by hand and start again.")
