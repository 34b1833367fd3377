"""What a stage is given: its inputs, and the ways to say what it does and to hand over what it made."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engine import manifest, memory
from engine.events import EventWriter, storable
from engine.faults import fault
from engine.spec import CHECKPOINTS, OUTPUTS, WORK, Spec

VERSIONED = (
    "torch", "transformers", "peft", "trl", "bitsandbytes", "flash_attn", "liger_kernel", "llama_cpp", "kreuzberg", "semchunk", "lm_eval",
)  # fmt: skip
PROGRESS_EVERY = 0.2  # seconds between two progress events of one phase; the last one is always written


class Context:
    """The hands of one attempt.

    ``inputs``: role → folder. ``run_dir`` is the attempt's folder; ``outputs`` and ``work`` lie in it.
    """

    def __init__(self, run_dir: Path, spec: Spec, events: EventWriter) -> None:
        self.run_dir = run_dir
        self.spec = spec
        self.inputs = {role: Path(path) for role, path in spec.inputs.items()}
        self.seed = spec.seed
        self.resume_from = Path(spec.resume_from) if spec.resume_from else None
        self.outputs = run_dir / OUTPUTS
        self.work = run_dir / WORK
        self.outputs.mkdir(exist_ok=True)
        self.work.mkdir(exist_ok=True)
        self.stop_requested = False
        self.saved_roles: list[str] = []
        self.summary: dict[str, Any] = {}
        self._events = events
        self._phase_began = time.monotonic()
        self._progress_last = 0.0
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, *_: object) -> None:
        self.stop_requested = True
        with suppress(OSError):  # into log.txt; not through sys.stderr, which the signal may have caught in the middle of a line
            os.write(2, b"Asked to stop\n")

    @contextmanager
    def phase(self, name: str, title: str) -> Iterator[None]:
        """A named part of the work; ``title`` is shown to people ("Reading documents")."""
        self._phase_began, self._progress_last = time.monotonic(), 0.0
        self._events.write("phase", name=name, title=title)
        memory.give_back_freed()
        yield

    def progress(self, done: float, total: float, unit: str = "", *, already: float = 0) -> None:
        """``done`` of ``total`` in this phase. ``already`` was done by an earlier attempt and does not count for the rate."""
        now = time.monotonic()
        if now - self._progress_last < PROGRESS_EVERY and done < total:
            return
        self._progress_last = now
        rate = (done - already) / max(now - self._phase_began, 1e-6)
        left = (total - done) / rate if rate > 0 else None
        self._events.write("progress", done=done, total=total, unit=unit, rate=rate, seconds_left=left)

    def metric(self, step: int, **values: float) -> None:
        self._events.write("metric", step=step, values=values)

    def sample(self, title: str, prompt: str, text: str) -> None:
        self._events.write("sample", title=title, prompt=prompt, text=text)

    def log(self, message: str, about: str = "") -> None:
        """Tell ``message``. What is said ``about`` "computing" stands among the facts on the run's page as well."""
        self._events.write("log", message=message, **({"about": about} if about else {}))

    def warn(self, code: str, message: str, *, where: str = "", mend: str = "") -> None:
        self._events.write("warning", code=code, message=message, where=where, mend=mend)

    def finish(self, **summary: Any) -> None:
        """What the ``finished`` event will carry; shown on the run's page."""
        self.summary.update(summary)

    def checkpoint(self, step: int, folder: Path) -> Path:
        """Hash ``folder`` and move it under ``checkpoints/``. Older checkpoints go once the new one stands."""
        fault("checkpoint.before_write")
        record = manifest.write(folder, "checkpoint", facts={"step": step})
        fault("checkpoint.after_write")
        place = self.run_dir / CHECKPOINTS / f"{step:08d}"
        place.parent.mkdir(exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        fault("checkpoint.before_rename")
        os.rename(folder, place)
        fault("checkpoint.after_rename")
        self._events.write("checkpoint", step=step, path=place.relative_to(self.run_dir).as_posix(), sha256=record.sha256)
        for older in sorted(place.parent.iterdir())[:-2]:  # the one before stays: a reader may be about to use it
            shutil.rmtree(older, ignore_errors=True)
        return place

    def save(self, role: str, folder: Path, *, kind: str, facts: dict[str, Any] | None = None) -> Path:
        """Hand over ``folder`` as the output ``role``: hash, rename into ``outputs/``, tell."""
        fault("artifact.before_write")
        made_by = {"stage": self.spec.stage, "params": self.spec.params, "seed": self.seed, "versions": versions()}
        record = manifest.write(folder, kind, facts=storable(facts), made_by=made_by)
        fault("artifact.after_write")
        place = self.outputs / role
        shutil.rmtree(place, ignore_errors=True)
        fault("artifact.before_rename")
        os.rename(folder, place)
        fault("artifact.after_rename")
        self._events.write(
            "artifact",
            role=role,
            kind=kind,
            path=place.relative_to(self.run_dir).as_posix(),
            bytes=record.bytes,
            sha256=record.sha256,
            facts=record.facts,
        )
        self.saved_roles.append(role)
        return place


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries loaded so far."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": sys.version.split()[0]}
    for name in VERSIONED:
        if name in sys.modules:
            try:
                found[name] = version({"llama_cpp": "llama-cpp-python"}.get(name, name))
            except PackageNotFoundError:
                continue
    return found
