"""What this process does with freed memory (only glibc is asked; elsewhere nothing is lost but room), and how its lack shows."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from engine import probes

# What torch passes on from oneDNN, which does not say why, when it finds no memory for its work
SAID_BY_ONEDNN = ("could not create a primitive", "could not execute a primitive", "could not create a memory object")
TRIM_THRESHOLD, MMAP_MAX = -1, -4  # glibc's names for mallopt


@lru_cache(maxsize=1)
def _glibc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
        return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
    except OSError:  # another C library (musl)
        return None


def keep_freed() -> None:
    """Let malloc keep big freed blocks. Otherwise each large tensor is mapped, zeroed page by page and unmapped at every step."""
    if (glibc := _glibc()) is not None:
        glibc.mallopt(MMAP_MAX, 0)
        glibc.mallopt(TRIM_THRESHOLD, 2**31 - 1)


def give_back_freed() -> None:
    """Return what was freed to the machine: what comes next needs blocks of other sizes, and would only be laid beside them."""
    if (glibc := _glibc()) is not None:
        glibc.malloc_trim(0)


@contextmanager
def limit_kept() -> Iterator[None]:
    """Puts back afterwards how much this process may take: what is run within may have lowered it."""
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def refuse_more_than_there_is() -> None:
    """From here on, memory that this machine has not got is an error like any other, which a training answers with smaller steps.

    Without it the system promises more than there is, and ends the process without a word when the promise is called in. Only Linux knows
    such a limit; what a GPU's driver maps would be counted, so there it is not for this.
    """
    if not sys.platform.startswith("linux"):
        return
    import resource

    import psutil

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = psutil.Process().memory_info().data + probes.memory()["available"]
    if most != resource.RLIM_INFINITY:
        limit = min(limit, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def out_of_memory(error: BaseException) -> bool:
    """True for Python's own memory error and for torch's, on CPU and GPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = str(error)
    return "can't allocate memory" in words or (_limited() and any(one in words for one in SAID_BY_ONEDNN))


def _limited() -> bool:
    """Whether this process may take less than it could ask for."""
    if not sys.platform.startswith("linux"):
        return False
    import resource

    return resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY
