"""What can be said of a dataset before training starts, without a tokenizer. The stage repeats it exactly with the
model's own.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runs.artifacts import artifact_path
from runs.models import Artifact

FEWEST_PAIRS = 8  # the stage refuses fewer
GOOD_PAIRS = 100  # the guides' lower end for fine-tuning
CHARACTERS_A_TOKEN = 4.0  # English prose; code and other languages take more tokens
TEMPLATE_TOKENS = 12  # a turn's markers
EXAMPLES = 5
TONES = {"stop": "bad", "warn": "warning", "note": "neutral"}


@dataclass(frozen=True)
class Finding:
    """``level`` "stop" means training would be refused. ``rows`` are "train.jsonl, row 3" and the like."""

    level: Literal["stop", "warn", "note"]
    code: str
    text: str
    mend: str
    rows: tuple[str, ...] = ()

    @property
    def tone(self) -> str:
        return TONES[self.level]

    @property
    def where(self) -> str:
        """The first rows, file by file: "train.jsonl: rows 3, 9"."""
        files: dict[str, list[str]] = {}
        for place in self.rows:
            name, _, number = place.partition(", row ")
            files.setdefault(name, []).append(number)
        words = (f"{name}: row{'s' if len(rows) > 1 else ''} {', '.join(rows)}" for name, rows in files.items())
        return "; ".join(words) + (" and more" if len(self.rows) == EXAMPLES else "")


@dataclass(frozen=True)
class Shape:
    """The dataset's size, for findings and estimates."""

    train: int
    validation: int
    test: int
    tokens: int  # of the training pairs, estimated
    longest: int  # of one pair, estimated


@dataclass
class _Counts:
    rows: int = 0
    tokens: int = 0
    longest: int = 0


def estimate_tokens(text: str) -> int:
    """A rough count: a token is about four characters of English, and never less than a word."""
    return max(round(len(text) / CHARACTERS_A_TOKEN), len(text.split()))


def check(dataset: Artifact, *, max_length: int, context: int = 0) -> tuple[Shape, list[Finding]]:
    """Read the dataset's files once and say what would go wrong; the worst first."""
    folder = artifact_path(dataset)
    found: dict[str, list[str]] = {
        "unreadable": [],
        "no_answer": [],
        "empty_answer": [],
        "no_room": [],
        "answer_cut": [],
    }
    counts = {split: _Counts() for split in ("train", "validation", "test")}
    limit = min(max_length, context) if context else max_length
    for split, where, row in _rows(folder):
        count = counts[split]
        count.rows += 1
        problem, tokens = _look_at(row, limit)
        count.tokens += tokens
        count.longest = max(count.longest, tokens)
        if problem:
            found[problem].append(where)
            if problem != "answer_cut" and split == "train":
                count.rows -= 1
    shape = Shape(
        counts["train"].rows,
        counts["validation"].rows,
        counts["test"].rows,
        counts["train"].tokens,
        counts["train"].longest,
    )
    return shape, sorted(_findings(found, shape, limit, max_length, context), key=lambda one: list(TONES).index(one.level))


def _rows(folder: Path) -> Iterator[tuple[str, str, Any]]:
    for split in ("train", "validation", "test"):
        path = folder / f"{split}.jsonl"
        if not path.is_file():
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            for line, text in enumerate(file, start=1):
                if text.strip():
                    try:
                        yield split, f"{path.name}, row {line}", json.loads(text)
                    except ValueError:
                        yield split, f"{path.name}, row {line}", None


def _look_at(row: Any, limit: int) -> tuple[str, int]:
    """(what is wrong with the row or "", its tokens)."""
    try:
        messages = [(message["role"], str(message["content"])) for message in row["messages"]]
    except (KeyError, TypeError):
        return "unreadable", 0
    tokens = sum(estimate_tokens(text) + TEMPLATE_TOKENS for _, text in messages)
    answers = [text for role, text in messages if role == "assistant"]
    if not answers:
        return "no_answer", tokens
    if not all(answer.strip() for answer in answers):
        return "empty_answer", tokens
    before = sum(estimate_tokens(text) + TEMPLATE_TOKENS for role, text in messages if role != "assistant")
    if before >= limit:
        return "no_room", tokens
    return ("answer_cut" if tokens > limit else ""), tokens


WORDS = {
    "unreadable": ("stop", "{n} cannot be read as a conversation.", "Cut the dataset version again."),
    "no_answer": ("warn", "{n} no answer at all and will be left out.", "Answer them or take them out."),
    "empty_answer": ("warn", "{n} an empty answer and will be left out.", "Write the answers or take these pairs out."),
    "no_room": (
        "warn",
        "{n} a question that alone fills {limit} tokens and will be left out.",
        "Shorten the questions or allow longer texts.",
    ),
    "answer_cut": (
        "warn",
        "{n} an answer that reaches beyond {limit} tokens; its end will be cut off.",
        "Shorten the answers or allow longer texts.",
    ),
}


def _pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count:,} pairs"


def _findings(found: dict[str, list[str]], shape: Shape, limit: int, max_length: int, context: int) -> Iterator[Finding]:
    for code, rows in found.items():
        if rows:
            level, text, mend = WORDS[code]
            verb = "" if code == "unreadable" else " has" if len(rows) == 1 else " have"
            yield Finding(level, code, text.format(n=_pairs(len(rows)) + verb, limit=f"about {limit:,}"), mend, tuple(rows[:EXAMPLES]))  # type: ignore[arg-type]
    if shape.train < FEWEST_PAIRS:
        usable = "No training pair" if not shape.train else f"Only {_pairs(shape.train)}"
        yield Finding(
            "stop",
            "too_few_pairs",
            f"{usable} can be used; training needs at least {FEWEST_PAIRS}.",
            "Generate or write more pairs and cut a new version.",
        )
    elif shape.train < GOOD_PAIRS:
        yield Finding(
            "warn",
            "few_pairs",
            f"{shape.train} training pairs teach style more than knowledge.",
            f"{GOOD_PAIRS} are a useful minimum, 1,000 and more are better.",
        )
    if not shape.validation:
        yield Finding(
            "warn",
            "no_validation",
            "There are no validation pairs, so nothing shows whether the model only learns by heart.",
            "Cut a version with a validation split.",
        )
    if not shape.test:
        yield Finding(
            "warn",
            "no_test",
            "There are no test pairs, so the evaluation has nothing to measure on.",
            "Cut a version with a test split.",
        )
    if context and max_length > context:
        yield Finding(
            "note",
            "context",
            f"The model reads at most {context:,} tokens; longer texts than that are cut.",
            f"Set the longest text to {context:,} or less.",
        )
