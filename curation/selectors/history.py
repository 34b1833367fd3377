"""The history of a pair, as people read it: word by word what became of it, and what can be taken back."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from curation.messages import ANSWER, QUESTION, part_names, parts_of
from curation.models import Pair, PairChange, PairTag, Tag
from curation.wording import Part, excerpt, word_diff

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


def can_undo(change: PairChange, now: dict[str, Any], tags: Collection[int]) -> bool:
    """Whether everything that ``change`` set still stands in its pair as it is ``now`` (see ``state_of``), and every tag that would be put
    back is among ``tags``, those of the project."""
    put_back = replaced(change)
    stands = all(now[name] == change.after.get(name) for name in put_back)
    return bool(put_back) and stands and set(put_back.get("tags") or ()) <= set(tags)


@dataclass(frozen=True)
class Line:
    """One change: who did it, the texts that changed with their words, and the fields that changed as (name, before, after)."""

    change: PairChange
    parts: list[Part]
    fields: list[tuple[str, str, str]]
    can_undo: bool


def history_lines(pair: Pair) -> list[Line]:
    """What happened to ``pair``, latest first. ``can_undo`` where nothing of it has changed since."""
    tags = dict(Tag.objects.filter(project=pair.project_id).values_list("pk", "name"))
    changes, now = list(pair.changes.select_related("by")[:SHOWN]), state_of(pair)
    gone = {int(pk): name for change in changes for pk, name in change.before.get("tag_names", {}).items()}
    return [_line(change, {**gone, **tags}, can_undo(change, now, tags)) for change in changes]


def _line(change: PairChange, names: dict[int, str], can_undo: bool) -> Line:
    before, after = change.before, change.after
    fields = [
        (title, before.get(key) or "none", after.get(key) or "none") for key, title in PLAIN.items() if before.get(key) != after.get(key)
    ]
    if before.get("tags") != after.get("tags"):
        fields.append(("Tags", _names(before.get("tags"), names), _names(after.get("tags"), names)))
    said = _differing(_said(before), _said(after))
    return Line(change, said + _differing(_rejected(before), _rejected(after)), fields, can_undo)


def _differing(old: dict[str, str], new: dict[str, str]) -> list[Part]:
    names = [name for name in part_names([old, new]) if old.get(name, "") != new.get(name, "")]
    return [Part(name, excerpt(word_diff(old.get(name, ""), new.get(name, "")))) for name in names]


def _said(state: dict[str, Any]) -> dict[str, str]:
    """The texts of a conversation that a change kept; the oldest changes kept no more than question and answer."""
    if "messages" in state:
        return parts_of(state["messages"])
    return {part: state[name] for part, name in ((QUESTION, "question"), (ANSWER, "answer")) if isinstance(state.get(name), str)}


def _rejected(state: dict[str, Any]) -> dict[str, str]:
    turns = state.get("rejected") or []
    return {"Rejected answer" if len(turns) == place else f"Rejected turn {place}": turn["content"] for place, turn in enumerate(turns, 1)}


def _names(keys: Any, names: dict[int, str]) -> str:
    return ", ".join(names.get(pk, "a tag that is gone") for pk in keys or []) or "none"
