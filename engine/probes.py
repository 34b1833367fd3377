"""What this machine can do, found out without importing anything heavy. The launcher asks before anything is installed."""

import ctypes
import os
import re
import shutil
import subprocess
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engine import cgroups

GPU_PATIENCE = 10.0  # seconds that nvidia-smi may take
AMPERE = (8, 0)  # the compute capability from which NVIDIA's GPUs multiply in bf16
OPTIONAL = ("bitsandbytes", "flash-attn", "liger-kernel")  # packages that make training faster or smaller where they are installed


@cache
def gpus() -> list[dict[str, Any]]:
    """NVIDIA GPUs by ``nvidia-smi``: ``{"name", "memory_bytes"}`` each; an empty list where there is none or it does not answer."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    question = [command, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=GPU_PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = re.findall(r"^(.+),\s*(\d+|\[N/A\])\s*$", answer.stdout, re.MULTILINE)
    # a GPU that shares the machine's memory says "[N/A]"
    return [{"name": name.strip(), "memory_bytes": int(mib) * 2**20 if mib.isdigit() else total_memory()} for name, mib in rows]


@cache
def compute_capability() -> tuple[int, int]:
    """Of the first NVIDIA GPU, by ``nvidia-smi``: (8, 0) for an A100; (0, 0) where there is none or the driver is too old to say."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return 0, 0
    question = [command, "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=GPU_PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0, 0
    found = re.match(r"(\d+)\.(\d+)\s", answer.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def usable_gpus() -> list[dict[str, Any]]:
    """The ``gpus()`` that PyTorch computes on here: none where its build is for the CPU or they are hidden from it."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    return gpus() if not hidden and torch_has_cuda() else []


@cache
def torch_has_cuda() -> bool:
    """Whether the installed PyTorch is built for CUDA. Read from its version file: importing it takes seconds."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    try:
        text = Path(spec.origin).with_name("version.py").read_text()
    except OSError:
        return False
    return re.search(r"^cuda\b.*=\s*['\"]", text, re.MULTILINE) is not None


@cache
def packages() -> dict[str, str]:
    """The version of each `OPTIONAL` package that is installed. Nothing is imported: whether one works shows when it is used."""
    found = {}
    for name in OPTIONAL:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


class _Utilisation(ctypes.Structure):
    """``nvmlUtilization_t``: percent of the last sample period (a sixth of a second to one) in which the GPU, and its memory, was busy."""

    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


def gpu_utilisation(uuid: str) -> float | None:
    """How busy the GPU with that ``uuid`` ("GPU-…") is, in percent, as nvidia-smi shows it; None where the driver does not say."""
    nvml = _nvml()
    handle, found = ctypes.c_void_p(), _Utilisation()
    if nvml is None or nvml.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle)):
        return None
    return None if nvml.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(found)) else float(found.gpu)


@cache
def _nvml() -> Any:
    """The driver's own library, ready to be asked; None where there is none. Its calls return 0 for success."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    return None if library.nvmlInit_v2() else library


@cache
def cpu_has_bf16() -> bool:
    """Whether the processor multiplies in bf16; without, fp32 is faster. False where it cannot be told."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags or " bf16" in flags  # the last one is Arm's name


def cores() -> int:
    """Whole cores this process may use, at least one; inside a container its own limit counts."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(here, cgroups.cores())))


def total_memory() -> int:
    """Bytes of memory this process may use: the machine's, or its container's limit."""
    return int(min(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), cgroups.memory()[0]))


def memory() -> dict[str, int]:
    """``{"total", "available"}`` in bytes; inside a container its own limit counts, less what it uses of it."""
    import psutil  # not installed yet when the launcher imports this module

    return {"total": total_memory(), "available": int(min(psutil.virtual_memory().available, cgroups.memory()[1]))}


def disk(folder: Path) -> dict[str, int]:
    """``{"total", "free"}`` in bytes of the disk that ``folder`` lies on."""
    usage = shutil.disk_usage(folder)
    return {"total": usage.total, "free": usage.free}
