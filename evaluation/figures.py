"""report.json as typed objects, tolerant of what a report does not have."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAMES = ("loss", "perplexity", "token_f1", "rouge_l", "general_loss", "mmlu")
TITLES = {
    "loss": "Loss",
    "perplexity": "Perplexity",
    "token_f1": "Token F1",
    "rouge_l": "ROUGE-L",
    "general_loss": "Loss on general text",
    "mmlu": "MMLU accuracy",
}
MEANINGS = {
    "loss": "How surprised the model is by the right answer, per token. Lower is better.",
    "perplexity": "The loss as a number of equally likely choices. Lower is better.",
    "token_f1": "How many words its answer shares with the right one, 0 to 1. Higher is better.",
    "rouge_l": "The longest run of words in common with the right answer, 0 to 1. Higher is better.",
    "general_loss": "The loss on text that has nothing to do with the domain. If it rises, the model forgets.",
    "mmlu": "Share of general multiple-choice questions answered rightly. A quarter is chance.",
}


@dataclass(frozen=True)
class Figure:
    """A measured value with its 95% interval and the number of samples behind it."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out zero: for a gain, whether there is one at all."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def figure(data: Any) -> Figure | None:
    """From ``{"value", "low", "high", "n"}``; None where there is no finite value."""
    if not isinstance(data, Mapping) or not _finite(data.get("value")):
        return None
    low, high = (float(data[name]) if _finite(data.get(name)) else None for name in ("low", "high"))
    return Figure(float(data["value"]), low, high, data.get("n"))


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def general_sample(report: Mapping[str, Any]) -> str:
    """Which general questions were asked, in words; empty for a report that asked none."""
    base = report.get("base") or {}
    asked, read = figure(base.get("mmlu")), figure(base.get("general_loss"))
    if not asked or not asked.n:
        return ""
    of = (report.get("general") or {}).get("of")  # older reports do not say
    which = f"{asked.n} of the {of}" if of else f"{asked.n} of the"
    letters = f"{which} MMLU development questions that come with their reasoning: the letter is asked for the accuracy"
    return f"{letters}, the reasoning of {read.n} is read for the loss." if read and read.n else f"{letters}."


@dataclass(frozen=True)
class Row:
    """One figure of the report: base, tuned, and the paired gain (positive is better) where it was computed."""

    key: str
    base: Figure | None
    tuned: Figure | None
    gain: Figure | None

    @property
    def title(self) -> str:
        return TITLES[self.key]

    @property
    def meaning(self) -> str:
        return MEANINGS[self.key]

    @property
    def places(self) -> int:
        """Decimals worth showing."""
        return 1 if self.key == "perplexity" else 2

    @property
    def better(self) -> bool | None:
        """Whether the tuned model is better; None where it cannot be told."""
        if self.gain:
            return self.gain.value > 0 if self.gain.sure else None
        return None


def rows(report: Mapping[str, Any]) -> dict[str, Row]:
    """Every figure that was measured, in reading order."""
    base, tuned, gain = (report.get(name) or {} for name in ("base", "tuned", "gain"))
    found = {}
    for key in NAMES:
        row = Row(key, figure(base.get(key)), figure(tuned.get(key)), figure(gain.get(key)))
        if row.base or row.tuned:
            found[key] = row
    return found
