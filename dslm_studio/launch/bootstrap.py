"""What ``./studio`` does before anything is installed. Standard library only."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from dslm_studio.launch import install, machine, ports, terminal, testing, verbs
from dslm_studio.launch.machine import Check
from dslm_studio.launch.terminal import Problem

NEEDS_INSTALLATION = {"up", "demo", "test"}


def main(arguments: list[str]) -> int:
    """Install what the verb needs and become ``python -m dslm_studio.launch`` inside .venv."""
    options = verbs.parse(arguments)
    # A terminated launcher ends its pip too: SIGTERM becomes an exception.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if options.verb in NEEDS_INSTALLATION:
            install.ensure(dev=options.verb == "test", needs=lambda: _needs(options))
        elif not _launcher_can_start():
            return _without_installation(options.verb, as_json=getattr(options, "as_json", False))
    except Problem as error:
        terminal.problem(error)
        return 1
    except KeyboardInterrupt:
        terminal.note("Stopped. The next start goes on from here.")
        return 130
    return _hand_over(arguments)


def _needs(options: argparse.Namespace) -> list[Check]:
    """What the verb needs beyond the installation. It looks again itself; said here, it is said before the long wait."""
    if options.verb == "test":
        return testing.needs(fast=options.fast)
    return [*machine.to_serve(install.home()), ports.check(options.port, options.host)]


def _hand_over(arguments: list[str]) -> NoReturn:
    """Become the launcher inside .venv: same process, same terminal, same signals."""
    sys.stdout.flush()
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH")}
    environment["STUDIO_HOME"] = str(install.home())  # absolute, before the folder changes
    os.chdir(install.ROOT)
    os.execve(install.PYTHON, [str(install.PYTHON), "-m", "dslm_studio.launch", *arguments], environment)


def _launcher_can_start() -> bool:
    return install.PYTHON.exists() and any(Path(install.VENV).glob("lib/python3*/site-packages/psutil"))


def _without_installation(verb: str, *, as_json: bool) -> int:
    if verb != "doctor":
        terminal.say("Nothing is running: DSLM Studio is not installed yet. ./studio up installs and starts it.")
        return 0 if verb == "stop" else 1
    home = install.home()
    checks = [*machine.to_install(install.ROOT, home, everything=True), *machine.to_serve(home), machine.check_git(), ports.check()]
    outstanding = [part.key for part in install.outstanding(dev=False)]
    if as_json:
        findings = {"ok": False, "installed": False, "outstanding": outstanding, "checks": [found.as_dict() for found in checks]}
        print(json.dumps(findings, indent=1))
        return 1
    for found in checks:
        line = f"{found.name}: {found.value}"
        if found.ok:
            terminal.good(line)
        elif found.needed:
            terminal.bad(line, found.mend)
        else:
            terminal.warn(f"{line}. {found.mend}")
    terminal.bad("Not installed yet", "./studio up installs it; then this shows libraries, Redis, ports and stages too.")
    return 1
