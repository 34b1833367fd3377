"""``./studio test``: the checks, then the whole test suite. Its last line is pytest's summary of what ran last, unless a check failed."""

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
from dslm_studio.launch.machine import Check
from dslm_studio.launch.terminal import Problem, Step
from engine import probes

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL_BROWSER = "apt-get install -y --no-install-recommends chromium"
QUICK = "not slow and not e2e and not demo"
MOST_AT_ONCE = 4  # processes of pytest; each may be training a model
INTERRUPTED, NONE_SELECTED = 2, 5  # exit codes of pytest


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
    machine.demand(needs(fast=fast), "No test was run.")
    browser = None if fast else ensure_browser()
    environment = bare_environment()
    if browser:
        environment["STUDIO_CHROMIUM"] = browser
    with tempfile.TemporaryDirectory(prefix="studio-checks-") as folder:
        failed = run_checks(environment | {"STUDIO_HOME": folder, "DJANGO_SETTINGS_MODULE": "dslm_studio.settings"})
    codes = [run_tests([*options, *arguments], environment | more) for options, more in parts(fast=fast)]
    if failed:
        terminal.bad(f"{len(failed)} of the checks failed: {', '.join(failed)} (shown above the tests)")
    # A selection that leaves one part empty is none that leaves every part empty
    told = [code for code in codes if code != NONE_SELECTED] or codes
    return max(*told, 1 if failed else 0)


def parts(*, fast: bool) -> list[tuple[list[str], dict[str, str]]]:
    """The options and the variables of each run of pytest, in order.

    First what can be done several at once: each process has a home of its own (tests/settings.py) and its share of the cores, for
    small models train faster side by side than one after another on all cores. Then what drives one studio in a browser: alone.
    """
    cores = probes.cores()
    count = min(cores, MOST_AT_ONCE)
    at_once = ["-n", str(count), "--dist", "loadfile", "--no-loadscope-reorder", "--part=at-once"]
    share = {"OMP_NUM_THREADS": str(max(1, cores // count))}
    if fast:
        return [(["-m", QUICK, *at_once], share)]
    return [(at_once, share), (["--part=studio"], {})]


def run_tests(arguments: list[str], environment: dict[str, str]) -> int:
    """One run of pytest; its exit code. Whoever asks this process to end has asked the whole suite."""
    sys.stdout.flush()
    tests = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], env=environment, cwd=ROOT)
    # Ctrl+C reaches pytest by itself; what asks only the launcher to end is passed on, so that fixtures stop what they started
    signal.signal(signal.SIGTERM, lambda *_: tests.send_signal(signal.SIGINT))
    signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the next part would be born with
    code = tests.wait()
    if code == INTERRUPTED:
        raise SystemExit(code)
    return code


def bare_environment() -> dict[str, str]:
    """The user's environment less what would lead a test to a studio that is in use."""
    ours = ("STUDIO_CHROMIUM", "STUDIO_TEST_CACHE", "STUDIO_MODELS_DIR", "STUDIO_SKIP_CHECKS")
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


def needs(*, fast: bool) -> list[Check]:
    """What the tests need beyond the installation."""
    return [machine.check_memory(), *([] if fast else [check_browser()])]


def browser_path() -> str | None:
    """The Chromium the tests drive: STUDIO_CHROMIUM, or the first one on PATH. None when it is not there."""
    named = os.environ.get("STUDIO_CHROMIUM", "").strip()
    return next((found for name in ([named] if named else BROWSERS) if (found := shutil.which(name))), None)


def check_browser() -> Check:
    """Whether Chromium is there, or will be: ``ensure_browser`` installs it where it may."""
    found, named = browser_path(), os.environ.get("STUDIO_CHROMIUM", "").strip()
    if found or (_may_install_browser() and not named):
        return Check("Chromium", True, found or "will be installed")
    where = f"sudo {INSTALL_BROWSER}" if shutil.which("apt-get") else "Install Chromium or Chrome"
    mend = f"{where}, or set STUDIO_CHROMIUM to one. `./studio test --fast` does without."
    value = f"STUDIO_CHROMIUM names {named}, which is no program" if named else "missing (the browser tests drive it)"
    return Check("Chromium", False, value, mend)


def _may_install_browser() -> bool:
    return shutil.which("apt-get") is not None and machine.is_root()


def ensure_browser() -> str:
    """Where Chromium is; installs Debian's when it is missing and this is root."""
    found = browser_path()
    if found is None and _may_install_browser():
        with Step("Installing Chromium"):
            _apt("update")
            _apt(*INSTALL_BROWSER.split()[1:])
        found = browser_path()
    if found is None:
        raise Problem("Chromium is not on PATH.", "Set STUDIO_CHROMIUM to it.")
    return found


def _apt(*arguments: str) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    answer = subprocess.run(["apt-get", "-qq", *arguments], capture_output=True, text=True, env=environment)
    if answer.returncode:
        end = "\n".join((answer.stdout + answer.stderr).strip().splitlines()[-6:])
        raise Problem(f"apt-get {arguments[0]} failed:\n{end}", "Install Chromium by hand and start again.")
