"""How an attempt ends when what it runs on fails: in words, with an exit code that says which."""

import dataclasses
import errno
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import events, registry, run
from engine.exits import Exit
from engine.spec import Spec


@pytest.fixture(autouse=True)
def own_signal() -> Iterator[None]:
    """A context takes SIGTERM over; this process wants its own back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def ended(folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> tuple[int, dict[str, Any]]:
    """The exit code, and what was said, of a stage in which ``error`` comes up."""

    def fail(*_: Any) -> None:
        raise error

    info = dataclasses.replace(registry.get("extract_pairs"), run=fail)
    monkeypatch.setattr(registry, "get", lambda key: info)
    monkeypatch.setattr(run, "check_inputs", lambda *_: None)
    Spec(stage="extract_pairs").write(folder)
    code = run.run(folder)
    said, _ = events.read_from(folder / events.EVENTS_FILE, 0)
    return code, said[-1].data


FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    RuntimeError("[enforce fail at inline_container.cc:672] . PytorchStreamWriter failed writing file: No space left on device"),
    Exception("Error while serializing: I/O error: No space left on device (os error 28)"),  # safetensors raises its own kind
]


@pytest.mark.parametrize("error", FULL, ids=["disk", "quota", "torch", "safetensors"])
def test_a_full_disk_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    code, said = ended(tmp_path, monkeypatch, error)
    assert (code, said["code"], said["where"]) == (Exit.INPUT, "disk", str(tmp_path))
    assert "Free some disk" in said["mend"]


def test_a_file_that_may_not_be_written_is_no_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermissionError):
        ended(tmp_path, monkeypatch, PermissionError(errno.EACCES, "Permission denied"))
    said, _ = events.read_from(tmp_path / events.EVENTS_FILE, 0)
    assert said[-1].data["code"] == "crash"
