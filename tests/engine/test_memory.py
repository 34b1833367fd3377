"""A process of its own, for what malloc was told holds for the whole process."""

import subprocess
import sys

import pytest

SCRIPT = """
import numpy as np, psutil
from engine import memory

def resident():
    return psutil.Process().memory_info().rss

memory.keep_freed()
blocks = [np.ones(1_000_000) for _ in range(40)]  # 8 MB each
wall = np.ones(1_000_000)  # above them on the heap: they cannot just be cut off its end
full = resident()
del blocks
kept = resident()
memory.give_back_freed()
print(full, kept, resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone is asked")
def test_freed_blocks_are_kept_until_they_are_given_back():
    full, kept, left = map(int, subprocess.check_output([sys.executable, "-c", SCRIPT], text=True).split())
    assert kept > full - 20_000_000
    assert left < full - 280_000_000
