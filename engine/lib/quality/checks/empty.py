"""Answers that are none: nothing, a placeholder, the question again, or a refusal."""

import re
from functools import cache
from pathlib import Path

from engine.lib.quality.material import Material, Row, normalised
from engine.lib.quality.registry import Finding, Found, Rule, check, share

LIST = Path(__file__).parent.parent / "refusals.txt"
HEAD = 240  # characters: a refusal stands at the start
UNANSWERABLE = "unanswerable"  # of these, not knowing is the right answer
PLACEHOLDER = re.compile(
    r"(?:n/?a|tbd|todo|fixme|null|nil|nan|none|undefined|unknown|xxx+|lorem ipsum.*|test|\?+|\.+|…|-+|_+)\.?", re.IGNORECASE | re.DOTALL
)


@check("empty")
def empty(material: Material, rule: Rule) -> Found:
    """The share of rows, in %, whose answer is empty, a placeholder, its question or a refusal, or whose rejected answer is no other."""
    findings = [Finding(row, wrong) for row in material.rows if (wrong := _wrong(row))]
    return Found(share(len(findings), len(material.rows)), findings)


def _wrong(row: Row) -> str:
    answer = row.answer.strip()
    if not re.search(r"\w", answer):
        return "The answer is empty" if not answer else "The answer has no word"
    if len(answer) < 80 and PLACEHOLDER.fullmatch(answer):
        return "The answer is a placeholder"
    if normalised(answer) == normalised(row.question):
        return "The answer repeats the question"
    # what stands in the source is no refusal: documents may speak of language models and of what cannot be done
    if row.shape != UNANSWERABLE and (found := refusals().search(answer[:HEAD])) and found[0] not in row.context:
        return f"The answer refuses: “{found[0].strip()}”"
    return _no_worse(row)


def _no_worse(row: Row) -> str:
    """Rejected answers may well refuse or be wrong; nothing, and the same once more, teach nothing."""
    if not row.rejected:
        return ""
    if not re.search(r"\w", row.worse_text):
        return "The rejected answer is empty"
    chosen = "\n".join(one["content"] for one in row.messages[row.fork :])
    return "The rejected answer is the same as the chosen one" if normalised(row.worse_text) == normalised(chosen) else ""


@cache
def refusals() -> re.Pattern[str]:
    """One pattern of all lines of refusals.txt."""
    lines = [line for line in LIST.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return re.compile("|".join(f"(?:{line})" for line in lines), re.IGNORECASE)
