"""What this machine can do, found out without importing anything heavy."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import psutil


@cache
def gpus() -> list[dict[str, Any]]:
    """NVIDIA GPUs by ``nvidia-smi``: ``{"name", "memory_bytes"}`` each; an empty list where there is none."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    answer = subprocess.run(
        [command, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=10
    )
    rows = [line.rsplit(",", 1) for line in answer.stdout.splitlines() if "," in line]
    return [{"name": name.strip(), "memory_bytes": int(mebibytes) * 2**20} for name, mebibytes in rows]


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> dict[str, int]:
    """``{"total", "available"}`` in bytes; inside a container its own limit counts."""
    found = psutil.virtual_memory()
    total, available = found.total, found.available
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        total = min(total, int(text))
        available = min(available, total)
    return {"total": total, "available": available}


def disk(folder: Path) -> dict[str, int]:
    """``{"total", "free"}`` in bytes of the disk that ``folder`` lies on."""
    usage = shutil.disk_usage(folder)
    return {"total": usage.total, "free": usage.free}
