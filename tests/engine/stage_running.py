"""What the tests of the stages share: a real small model, a real data set, and a way to run a stage by its real command."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.python_topics import write_dataset
from engine import events, manifest
from engine.spec import Spec
from tests.materials import base_model_folder

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the stages do themselves: see models.prepare_libraries
ROOT = Path(__file__).resolve().parents[2]
FOUR_STEPS = {
    "max_steps": 4, "epochs": 3, "batch_size": 2, "gradient_accumulation": 2, "dropout": 0.1, "eval_every": 2, "checkpoint_every": 2,
    "warmup_ratio": 0.0, "general_rows": 2,
}  # fmt: skip


@dataclass
class Outcome:
    """How one attempt ended."""

    code: int
    folder: Path

    @property
    def events(self) -> list[events.Event]:
        return events.read_from(self.folder / events.EVENTS_FILE, 0, 1 << 30)[0]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events if event.type == kind]

    def metric(self, name: str) -> dict[int, float]:
        return {data["step"]: data["values"][name] for data in self.of("metric") if name in data["values"]}

    def output(self, role: str) -> Path:
        return self.folder / "outputs" / role

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text("utf-8", "replace")[-4000:]


def engine_start(folder: Path, spec: Spec, **environment: str) -> subprocess.Popen[bytes]:
    """The real command on ``folder``, as the studio starts it: its words go to log.txt."""
    spec.write(folder)
    with open(folder / "log.txt", "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "engine", "run", str(folder)], cwd=ROOT, stdout=log, stderr=log,
            env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        )  # fmt: skip


def run_stage(folder: Path, spec: Spec, *, expect: int | None = 0, **environment: str) -> Outcome:
    outcome = Outcome(engine_start(folder, spec, **environment).wait(timeout=600), folder)
    assert expect is None or outcome.code == expect, outcome.log
    return outcome


@pytest.fixture
def engine_run(tmp_path: Path) -> Callable[..., Outcome]:
    """``engine_run(stage, params, inputs, …)`` in a fresh folder; ``expect`` is the exit code."""
    counter = iter(range(100))

    def start(
        stage: str, params: dict[str, Any], inputs: dict[str, Path], *, seed: int = 0, resume_from: Path | None = None,
        expect: int | None = 0, **environment: str,
    ) -> Outcome:  # fmt: skip
        spec = Spec(
            stage=stage, params=params, inputs={role: str(path) for role, path in inputs.items()}, seed=seed,
            resume_from=str(resume_from) if resume_from else None,
        )  # fmt: skip
        return run_stage(tmp_path / f"{next(counter):02d}-{stage}", spec, expect=expect, **environment)

    return start


@pytest.fixture(scope="session")
def base_model() -> Path:
    return base_model_folder()


@pytest.fixture(scope="session")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small `dataset` artifact of real pairs from Python's reference."""
    return write_dataset(tmp_path_factory.mktemp("topics"), train=24, validation=4, test=6)


@pytest.fixture
def dataset_of(tmp_path: Path) -> Callable[..., Path]:
    """``dataset_of(train=[(question, answer), …], validation=…)``: a dataset of just these pairs."""
    counter = iter(range(100))

    def build(**splits: list[tuple[str, str]]) -> Path:
        folder = tmp_path / f"dataset-{next(counter)}"
        folder.mkdir()
        for split in ("train", "validation", "test"):
            lines = [
                json.dumps({"id": f"{split}-{n}", "messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]})
                for n, (q, a) in enumerate(splits.get(split, []))
            ]
            (folder / f"{split}.jsonl").write_text("".join(line + "\n" for line in lines), "utf-8")
        (folder / "card.json").write_text("{}")
        manifest.write(folder, "dataset")
        return folder

    return build


@pytest.fixture(scope="session")
def trained(base_model: Path, topics: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Four uninterrupted steps of training, with dropout and accumulation so that resuming has much to get wrong."""
    spec = Spec(stage="sft", params=FOUR_STEPS, inputs={"model": str(base_model), "dataset": str(topics)}, seed=3)
    return run_stage(tmp_path_factory.mktemp("trained") / "run", spec)
