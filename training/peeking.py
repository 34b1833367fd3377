"""The first batch as the model sees it, found out in a process of its own: this one never loads a tokenizer."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from runs.artifacts import artifact_path
from runs.environment import PASSED_ON
from training.launch_forms import LaunchForms

PATIENCE = 90  # seconds
OUTCOMES = {
    "answer_cut": ("answer is cut", "answers are cut"),
    "no_room": (
        "row is left out: its question alone fills the longest text",
        "rows are left out: their question alone fills the longest text",
    ),
    "empty_answer": ("row is left out: its answer is empty", "rows are left out: their answer is empty"),
    "no_answer": ("row is left out: it has no answer", "rows are left out: they have no answer"),
}


@dataclass(frozen=True)
class Batch:
    """What is shown, or the ``problem`` that keeps the model from seeing anything."""

    template: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    of: int = 0
    looked_at: int = 0
    usable: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    trained: int = 0
    problem: str = ""
    where: str = ""
    mend: str = ""

    @property
    def outcomes(self) -> list[str]:
        """ "3 answers are cut" and the like, of the rows looked at."""
        return [f"{count:,} {OUTCOMES[kind][count > 1]}" for kind, count in self.counts.items() if count and kind in OUTCOMES]

    @property
    def percent(self) -> int:
        """How much of the text is trained on."""
        return round(100 * self.trained / self.tokens) if self.tokens else 0


def batch_of(forms: LaunchForms) -> Batch:
    """For what is chosen now. Never raises for a model, template or dataset that cannot be trained with: that is its ``problem``."""
    launch, method = forms.launch, forms.launch.main
    base, dataset = launch.chosen_base(), launch.chosen_dataset()
    if "documents" in method.needs:
        return Batch(problem="This method reads documents as they are: no template, and every token is trained on.")
    if "generations" in method.info.params.model_fields:
        return Batch(problem="This method reads the questions alone and learns from answers that the model writes itself.")
    if base is None or dataset is None:
        return Batch(problem="Choose a base model and a dataset version first.")
    if base.artifact is None:
        mend = "Look again once it is there; the training itself checks it too."
        return Batch(problem=f"{base.name} has not been imported yet, so its chat template is not known.", mend=mend)
    params = forms.params(method.key)
    options = {
        "model": str(artifact_path(base.artifact)),
        "dataset": str(artifact_path(dataset)),
        "max_length": int(params.get("max_length") or 1024),
        "batch_size": int(params.get("batch_size") or 8),
        "seed": int(launch.chosen("seed")) if launch.chosen("seed").isdigit() else 0,
        "preferences": "preferences" in method.needs,
    }
    return peek(options, base.artifact.sha256, dataset.sha256)


def peek(options: dict[str, Any], *hashes: str) -> Batch:
    """``options`` are those of `engine.lib.batch_peek`. Files of the same ``hashes`` do not change, so the answer is remembered."""
    try:
        told = json.loads(_peeked(json.dumps(options, sort_keys=True), hashes))
    except subprocess.TimeoutExpired:
        return Batch(
            problem=f"Reading the rows took longer than {PATIENCE} seconds.", mend="The training itself can take its time: start it."
        )
    except (subprocess.CalledProcessError, ValueError):
        return Batch(
            problem="The program that reads the rows broke off.", mend="Import the base model again, or cut the dataset version again."
        )
    return _problem(told["problem"]) if "problem" in told else Batch(**told)


def _problem(told: dict[str, str]) -> Batch:
    """Without the place of a file on this machine, which says nothing to a reader."""
    return Batch(problem=told["message"], mend=told["mend"], where="" if told["where"].startswith("/") else told["where"])


@lru_cache(maxsize=64)
def _peeked(options: str, hashes: tuple[str, ...]) -> str:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {"PYTHONPATH": str(Path(settings.BASE_DIR)), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "engine", "peek_batch", options]
    done = subprocess.run(command, env=environment, cwd=settings.STUDIO_HOME, capture_output=True, timeout=PATIENCE, check=True)
    return done.stdout.decode()
