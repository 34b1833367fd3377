"""The history of a pair, as people read it: word by word what became of it, and what can be taken back."""

from dataclasses import dataclass
from typing import Any

from curation.models import Pair, PairChange, PairTag, Tag
from curation.wording import Segment, word_diff

SHOWN = 50  # changes, the latest first
PLAIN = {"topic": "Topic", "difficulty": "Difficulty", "language": "Language", "shape": "Shape"}

RESTORED = {"messages", "topic", "difficulty", "language", "shape", "rejected", "fork", "status", "note"}  # what undo may put back
COPIED = {"tags", "question", "answer"}  # what follows from it, or stands in a table of its own


def state_of(pair: Pair) -> dict[str, Any]:
    """Everything of ``pair`` that its history keeps."""
    kept = {name: getattr(pair, name) for name in (*RESTORED, "question", "answer")}
    return {**kept, "tags": sorted(PairTag.objects.filter(pair=pair).values_list("tag_id", flat=True))}


def replaced(change: PairChange) -> dict[str, Any]:
    """What ``change`` replaced, without what it only repeats."""
    known = RESTORED | COPIED
    return {name: value for name, value in change.before.items() if name in known and value != change.after.get(name)}


def can_undo(pair: Pair, change: PairChange) -> bool:
    """Whether everything that ``change`` set still stands in ``pair``."""
    put_back = replaced(change)
    now = state_of(pair) if "tags" in put_back else {name: getattr(pair, name) for name in put_back}
    return bool(put_back) and all(now[name] == change.after.get(name) for name in put_back)


@dataclass(frozen=True)
class Line:
    """One change: who did it, the words before and after, and the fields that changed as (name, before, after)."""

    change: PairChange
    question: list[Segment]
    answer: list[Segment]
    fields: list[tuple[str, str, str]]
    can_undo: bool


def history_lines(pair: Pair) -> list[Line]:
    """What happened to ``pair``, latest first. ``can_undo`` where nothing of it has changed since."""
    names = dict(Tag.objects.filter(project=pair.project_id).values_list("pk", "name"))
    changes = list(pair.changes.select_related("by")[:SHOWN])
    return [_line(pair, change, names) for change in changes]


def _line(pair: Pair, change: PairChange, names: dict[int, str]) -> Line:
    before, after = change.before, change.after
    fields = [
        (title, before.get(key) or "none", after.get(key) or "none") for key, title in PLAIN.items() if before.get(key) != after.get(key)
    ]
    if before.get("tags") != after.get("tags"):
        fields.append(("Tags", _names(before.get("tags"), names), _names(after.get("tags"), names)))
    return Line(change, _diff(before, after, "question"), _diff(before, after, "answer"), fields, can_undo(pair, change))


def _diff(before: dict[str, Any], after: dict[str, Any], name: str) -> list[Segment]:
    old, new = before.get(name), after.get(name)
    return word_diff(old, new) if isinstance(old, str) and isinstance(new, str) and old != new else []


def _names(keys: Any, names: dict[int, str]) -> str:
    return ", ".join(names.get(pk, "a tag that is gone") for pk in keys or []) or "none"
