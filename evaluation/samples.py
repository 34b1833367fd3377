"""The answers behind a report, read from its samples.jsonl."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMPLES_FILE = "samples.jsonl"


@dataclass(frozen=True)
class Sample:
    """One test pair: what was asked, what is right, what each model said, and how far off it was."""

    number: int
    question: str
    reference: str
    base_answer: str | None
    tuned_answer: str | None
    base_loss: float | None
    tuned_loss: float | None
    base_f1: float | None
    tuned_f1: float | None

    @property
    def f1(self) -> float | None:
        """Of the model that the report is about."""
        return self.base_f1 if self.tuned_f1 is None else self.tuned_f1

    @property
    def loss(self) -> float | None:
        return self.base_loss if self.tuned_loss is None else self.tuned_loss

    @property
    def gain(self) -> float:
        """How much lower the loss became; 0 where only one model was asked."""
        return 0.0 if self.base_loss is None or self.tuned_loss is None else self.base_loss - self.tuned_loss


def read_samples(folder: Path) -> list[Sample]:
    """Every sample of the report in ``folder``, in its order; lines that cannot be read are left out."""
    path = folder / SAMPLES_FILE
    if not path.is_file():
        return []
    found = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                found.append(_sample(number, json.loads(line)))
            except (ValueError, AttributeError):
                continue
    return found


def _sample(number: int, row: dict[str, Any]) -> Sample:
    measured = {f"{side}_{name}": row.get(f"{side}_{name}") for side in ("base", "tuned") for name in ("answer", "loss", "f1")}
    return Sample(number=number, question=str(row.get("question") or ""), reference=str(row.get("reference") or ""), **measured)


SORTS: dict[str, Callable[[Sample], Any]] = {
    "f1": lambda sample: (sample.f1 is None, sample.f1 or 0.0, -(sample.loss or 0.0)),
    "loss": lambda sample: (sample.loss is None, sample.loss or 0.0),
    "question": lambda sample: sample.question.lower(),
    "gain": lambda sample: sample.gain,
}


def arrange(samples: list[Sample], *, text: str = "", sort: str = "f1") -> list[Sample]:
    """Those whose question or answers contain ``text``, sorted; worst answers first unless told otherwise."""
    words = text.strip().lower()
    if words:
        samples = [
            one
            for one in samples
            if any(words in (part or "").lower() for part in (one.question, one.reference, one.base_answer, one.tuned_answer))
        ]
    key = SORTS.get(sort.removeprefix("-"), SORTS["f1"])
    return sorted(samples, key=key, reverse=sort.startswith("-"))
