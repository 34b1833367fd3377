"""What this machine has, and what is missing for an installation. Standard library only."""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dslm_studio.launch import terminal
from dslm_studio.launch.terminal import Problem
from engine.probes import total_memory

GB = 10**9
DISK_TO_INSTALL = 8 * GB
DISK_TO_SERVE = 1 * GB
MEMORY = 6 * GB
# A machine sold with 6 GB reports a little less: the kernel keeps its share.
MEMORY_TOLERANCE = 0.92


@dataclass(frozen=True)
class Check:
    """One finding. ``needed`` tells what must hold from what is only worth saying."""

    name: str
    ok: bool
    value: str
    mend: str = ""
    needed: bool = True

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def install_line(debian: str, fedora: str, mac: str) -> str:
    """How to install system packages here, as a line to paste."""
    sudo = "" if is_root() else "sudo "
    if shutil.which("apt-get"):
        return f"{sudo}apt-get install -y {debian}"
    if shutil.which("dnf"):
        return f"{sudo}dnf install -y {fedora}"
    if platform.system() == "Darwin":
        return mac
    return f"Install {debian} with your system's package manager."


def existing(folder: Path) -> Path:
    """The folder itself, or its nearest parent that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def free_disk(folder: Path) -> int:
    return shutil.disk_usage(existing(folder)).free


def compiler() -> str | None:
    """The C++ compiler a build would use, or None."""
    named = os.environ.get("CXX")
    return next((found for name in (named, "c++", "g++", "clang++") if name and (found := shutil.which(name))), None)


def size(count: float) -> str:
    """Bytes as a person says them: ``23.4 GB``."""
    return f"{count / GB:.1f} GB" if count >= GB else f"{count / 10**6:.0f} MB"


def check_system() -> Check:
    """Whether this is the kind of machine that the studio is developed on; a warning elsewhere, no refusal."""
    system, kind = platform.system(), platform.machine()
    mend = (
        "DSLM Studio is developed and tested on Linux on x86_64. Elsewhere a library may have to be compiled, or may not be there at all."
    )
    return Check("system", system == "Linux" and kind.lower() in ("x86_64", "amd64"), f"{system} on {kind}", mend, needed=False)


def check_python() -> Check:
    version = platform.python_version()
    return Check("Python", (3, 11) <= sys.version_info[:2] < (3, 14), version, "DSLM Studio needs Python 3.11, 3.12 or 3.13.")


def check_venv() -> Check:
    there = importlib.util.find_spec("ensurepip") is not None and importlib.util.find_spec("venv") is not None
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    mend = install_line(f"python{minor}-venv", "python3", "brew install python@3.12")
    return Check("venv module", there, "there" if there else "missing", mend)


def check_compiler(*, needed: bool) -> Check:
    found = compiler()
    mend = install_line("build-essential", "gcc-c++ make", "xcode-select --install")
    return Check("C++ compiler", found is not None, found or "missing (llama-cpp-python is compiled here)", mend, needed)


def check_cmake(*, needed: bool) -> Check:
    found = shutil.which("cmake")
    mend = install_line("cmake", "cmake", "brew install cmake")
    return Check("cmake", found is not None, found or "missing (llama-cpp-python is compiled here)", mend, needed)


def check_git() -> Check:
    found = shutil.which("git")
    return Check("git", found is not None, found or "missing", install_line("git", "git", "brew install git"), needed=False)


def check_memory() -> Check:
    total = total_memory()
    mend = "Training and serving need 6 GB. Close other programs, raise the container's limit, or use a larger machine."
    return Check("memory", total >= MEMORY * MEMORY_TOLERANCE, f"{size(total)} in all", mend)


def check_disk(folder: Path, wanted: int, purpose: str) -> Check:
    free = free_disk(folder)
    mend = f"{purpose} needs {size(wanted)} free on the disk of {folder}. Make room, or choose a larger disk."
    return Check("disk", free >= wanted, f"{size(free)} free", mend)


def check_writable(folder: Path, name: str) -> Check:
    there = existing(folder)
    ok = os.access(there, os.W_OK | os.X_OK) and there.is_dir()
    owner = f"Give yourself the right to write in {there}, or choose another place"
    mend = f"{owner} with STUDIO_HOME." if name == "STUDIO_HOME" else f"{owner} for the clone."
    return Check(f"write to {name}", ok, str(folder), mend)


def to_install(root: Path, home: Path, *, everything: bool) -> list[Check]:
    """What an installation needs. ``everything`` is False when only a small part is left to install."""
    checks = [check_system(), check_python(), check_venv(), check_writable(root, "the clone"), check_writable(home, "STUDIO_HOME")]
    if everything:
        checks += [check_compiler(needed=True), check_cmake(needed=True), check_disk(root, DISK_TO_INSTALL, "Installing")]
    return checks


def to_serve(home: Path) -> list[Check]:
    """What a studio in ``home`` needs each time it starts."""
    return [check_memory(), check_disk(home, DISK_TO_SERVE, "Serving")]


def demand(checks: Iterable[Check], otherwise: str) -> None:
    """Raise ``Problem`` naming every failed check, not only the first, less those in STUDIO_SKIP_CHECKS; what is not needed is a warning.

    ``otherwise`` tells what was not done because of it.
    """
    skipped = {word.strip() for word in os.environ.get("STUDIO_SKIP_CHECKS", "").split(",")}
    found = [check for check in checks if not check.ok and check.name not in skipped]
    failed = [check for check in found if check.needed]
    for check in found:
        if not check.needed:
            terminal.warn(f"{check.name}: {check.value}. {check.mend}")
    for check in failed[:-1]:
        terminal.bad(f"{check.name}: {check.value}", check.mend)
    if failed:
        last = failed[-1]
        raise Problem(f"{last.name}: {last.value}", f"{last.mend}\n\n{otherwise}")
