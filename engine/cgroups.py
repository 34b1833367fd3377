"""What the control groups (a container's limits, or systemd's) leave this process, version 2 or 1. Standard library only."""

from collections.abc import Iterator
from math import inf
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OF_THIS_PROCESS = Path("/proc/self/cgroup")
# The limit, what is used of it, and the names of the parts of that which the kernel gives back when asked: copies of files. Those read more
# than once (a model's weights) are "active", and given back as well
MEMORY_FILES = (
    ("memory.max", "memory.current", ("inactive_file", "active_file")),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")),
)


def memory() -> tuple[float, float]:
    """The smallest limit in bytes, and the least bytes left of any; infinite where there is none."""
    limit = left = inf
    for group in _groups("memory"):
        for most, used, cache in MEMORY_FILES:
            bound, use = _words(group / most), _words(group / used)
            if bound and bound[0].isdigit():
                limit = min(limit, int(bound[0]))
                held = int(use[0]) if use else 0
                left = min(left, max(0, int(bound[0]) - max(0, held - sum(_stat(group, name) for name in cache))))
    return limit, left


def cores() -> float:
    """The smallest share of processor time, in cores; infinite where there is no limit."""
    found = inf
    for group in _groups("cpu"):
        words = _words(group / "cpu.max") or _words(group / "cpu.cfs_quota_us") + _words(group / "cpu.cfs_period_us")
        if len(words) == 2 and words[0].isdigit():  # neither "max" nor "-1"
            found = min(found, int(words[0]) / int(words[1]))
    return found


def _groups(controller: str) -> Iterator[Path]:
    """The folders of this process's group and of all around it. Inside a container some may not be there: its own is the top one."""
    try:
        lines = OF_THIS_PROCESS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = ROOT / controller if controllers else ROOT  # version 1 has a tree for each controller
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts), -1, -1):
            yield top.joinpath(*parts[:depth])


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _stat(group: Path, name: str) -> int:
    words = _words(group / "memory.stat")
    return int(words[words.index(name) + 1]) if name in words else 0
