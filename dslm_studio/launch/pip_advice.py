"""What to do about a pip that failed, judged by what it said. Standard library only."""

import os
from pathlib import Path

from dslm_studio.launch import machine

BEGINS = "\n=== "  # stands in the log before each call of pip
LONGEST = 20_000  # bytes of the log that are looked at
UNREACHABLE = ("connection broken by", "Failed to establish a new connection", "Max retries exceeded")


def last_output(log: Path) -> str:
    """The end of what the last call of pip wrote to ``log``, without what earlier ones did."""
    with open(log, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - LONGEST))
        return file.read().decode("utf-8", "replace").rpartition(BEGINS)[2]


def advice(output: str, code: int) -> str:
    """How to mend it and that the next start goes on, in words; ``code`` is pip's exit code, negative for a signal."""
    if code in (-9, 137):
        return "It was killed, most likely because memory ran out. Set CMAKE_BUILD_PARALLEL_LEVEL=1 and start again."
    mend = next((mend for sign, mend in known(output) if sign in output), "Read the log above.")
    return f"{mend}\nThen start again: it goes on where it stopped."


def known(output: str) -> tuple[tuple[str, str], ...]:
    """Words of pip, and what mends what they tell. The first that stand in its output count."""
    away = (
        "The package index could not be reached. Check the network, the proxy (HTTPS_PROXY), and the index's address: "
        "`.venv/bin/python -m pip config list`, PIP_INDEX_URL."
    )
    lacking = "Your package index does not have this version for this Python. Check `pip config list`."
    answered = "from versions: " in output and "from versions: none" not in output  # be it at the second try
    return (
        ("No space left on device", f"The disk is full. An installation needs {machine.size(machine.DISK_TO_INSTALL)}."),
        ("DO NOT MATCH THE HASHES", "A package is not the file that was pinned. Do not use it; check your package index."),
        (
            "CMake Error",
            f"The compiler or cmake failed. {machine.install_line('build-essential cmake', 'gcc-c++ cmake', 'brew install cmake')}",
        ),
        ("CERTIFICATE_VERIFY_FAILED", "pip does not trust the index's certificate: set `cert` in your pip configuration."),
        ("not a trusted or secure host", "pip passes over an index without HTTPS: use its https address, or name it as `trusted-host`."),
        # an index that does not answer ends in the words of one that lacks the version
        *((sign, away) for sign in UNREACHABLE if not answered),
        ("No matching distribution", lacking),
        ("Could not find a version", lacking),
        ("Timeout", "The package index was too slow. Check the network and `pip config list`."),
        ("Connection", away),
    )
