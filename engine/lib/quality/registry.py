"""What a check is, what it finds, and how its number is judged."""

import importlib
import pkgutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from engine.lib.quality.material import Material, Row

Verdict = Literal["pass", "warn", "fail"]
ORDER: dict[str, int] = {"pass": 0, "warn": 1, "fail": 2}
MOST_ITEMS = 200  # names listed in the report; the number says how many there are


@dataclass(frozen=True)
class Finding:
    """A row that a check found fault with. ``other``: the id of the pair it repeats or leaks into, or a text."""

    row: Row
    detail: str
    other: str | None = None


@dataclass(frozen=True)
class Found:
    """``number`` is in the unit of ``gate.toml``; None: there was nothing to judge, and ``note`` says why.

    ``items`` names what has no row of its own: documents without pairs, topics with few.
    """

    number: float | None
    findings: list[Finding] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class Rule:
    """How one check is judged and told: an entry of ``gate.toml``."""

    key: str
    group: str
    title: str
    unit: str
    bound: Literal["most", "least"]
    says: str
    remedy: dict[str, str]
    warn: float
    fail: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def verdict(self, number: float) -> Verdict:
        """``warn`` and ``fail`` are the last values that are still free of it."""
        worse = (lambda limit: number > limit) if self.bound == "most" else (lambda limit: number < limit)
        if self.fail is not None and worse(self.fail):
            return "fail"
        return "warn" if worse(self.warn) else "pass"


Check = Callable[[Material, Rule], Found]
_checks: dict[str, Check] = {}


def check(key: str) -> Callable[[Check], Check]:
    """Declare the decorated function as the check of that key in ``gate.toml``."""

    def declare(function: Check) -> Check:
        assert key not in _checks or _checks[key].__module__ == function.__module__, f"the check {key!r} is declared twice"
        _checks[key] = function
        return function

    return declare


@cache
def rules() -> dict[str, Rule]:
    """Key → rule, in the order in which checks run and are shown."""
    data = tomllib.loads((Path(__file__).parent / "gate.toml").read_text("utf-8"))
    return {entry["key"]: Rule(**entry) for entry in data["check"]}


@cache
def size_bands() -> list[dict[str, Any]]:
    """What to expect of so many pairs, smallest band first: ``below`` (absent in the last), ``band``, ``says``."""
    data = tomllib.loads((Path(__file__).parent / "gate.toml").read_text("utf-8"))
    return list(data["size"])


def all_checks() -> list[tuple[Rule, Check]]:
    """Every check with its rule, in the order of ``gate.toml``. A check without a rule, or a rule without a check, is an error."""
    import engine.lib.quality.checks as folder

    for module in pkgutil.iter_modules(folder.__path__, folder.__name__ + "."):
        importlib.import_module(module.name)
    assert _checks.keys() == rules().keys(), f"checks and gate.toml differ: {sorted(_checks.keys() ^ rules().keys())}"
    return [(rule, _checks[key]) for key, rule in rules().items()]


def share(found: int, of: int) -> float:
    """Per cent, to two places; 0 of nothing."""
    return round(100 * found / of, 2) if of else 0.0


def size_band(pairs: int) -> dict[str, str]:
    band = next(one for one in size_bands() if "below" not in one or pairs < one["below"])
    return {"band": band["band"], "says": band["says"]}


def judged(rule: Rule, found: Found) -> dict[str, Any]:
    """The check as ``report.json`` has it."""
    verdict = "pass" if found.number is None else rule.verdict(found.number)
    return {
        "key": rule.key,
        "group": rule.group,
        "title": rule.title,
        "verdict": verdict,
        "number": found.number,
        "unit": rule.unit,
        "threshold": {"bound": rule.bound, "warn": rule.warn, "fail": rule.fail},
        "says": rule.says,
        "note": found.note,
        "rows": len({finding.row.id for finding in found.findings}),
        "items": found.items[:MOST_ITEMS],
        "remedy": rule.remedy if verdict != "pass" or found.findings else {},
    }


def worst(verdicts: list[str]) -> str:
    return max(verdicts, key=ORDER.__getitem__, default="pass")
