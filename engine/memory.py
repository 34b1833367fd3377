"""What this process does with freed memory (only glibc is asked; elsewhere nothing is lost but room), and how its lack shows."""

import ctypes
import sys
from functools import lru_cache
from typing import Any

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


def out_of_memory(error: BaseException) -> bool:
    """True for Python's own memory error and for torch's, on CPU and GPU."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
