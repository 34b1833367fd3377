"""The filter as a form: groups of lines, each with its field, what is asked of it, and the control for the value."""

from dataclasses import dataclass, field
from typing import Any

from curation.filter_fields import FIELDS, Field
from curation.filter_values import OPS
from curation.filters import Condition, Group
from curation.selectors.filters import Choices, choices_of
from projects.models import Project

MOST_CHOICES = 300  # in a box; where there are more, the value is typed
KINDS = (("all", "All of these hold"), ("any", "Any of these holds"), ("none", "None of these holds"))


@dataclass(frozen=True)
class Control:
    """Where a value is entered: a box of ``choices``, or an input of this ``type``."""

    type: str
    choices: Choices
    value: str = ""
    example: str = ""


@dataclass(frozen=True)
class Line:
    """A condition; ``ops`` are (key, label) of what can be asked of its field, ``control`` None where the question needs no value."""

    key: str
    op: str
    ops: list[tuple[str, str]]
    control: Control | None


@dataclass(frozen=True)
class Block:
    """A group of lines and blocks; ``kind`` is one of ``KINDS``."""

    kind: str
    parts: list["Line | Block"]

    is_block = True


@dataclass(frozen=True)
class Builder:
    """The filter, and what can be added to it: ``fields`` are (key, label), ``blanks`` a line for each, ``empty`` a group."""

    top: Block
    fields: list[tuple[str, str]]
    blanks: list[Line]
    kinds: tuple[tuple[str, str], ...] = KINDS
    empty: Block = field(default_factory=lambda: Block("any", []))


def builder_of(project: Project, group: Group) -> Builder:
    """The builder with ``group`` in it; an empty one has a first line to fill."""
    choices = choices_of(project, FIELDS)
    top = _block(group, choices)
    if not top.parts:
        top = Block("all", [_line(Condition("status", "is"), choices)])
    blanks = [_line(Condition(key, one.ops[0]), choices) for key, one in FIELDS.items()]
    return Builder(top, [(key, one.label) for key, one in FIELDS.items()], blanks)


def _block(group: Group, choices: dict[str, Choices]) -> Block:
    if group.kind != "not":
        return Block(group.kind, [_part(part, choices) for part in group.parts])
    (inner,) = group.parts
    parts = inner.parts if isinstance(inner, Group) and inner.kind == "any" else (inner,)
    return Block("none", [_part(part, choices) for part in parts])


def _part(part: Condition | Group, choices: dict[str, Choices]) -> Line | Block:
    return _block(part, choices) if isinstance(part, Group) else _line(part, choices)


def _line(condition: Condition, choices: dict[str, Choices]) -> Line:
    asked = FIELDS[condition.field]
    ops = [(op, OPS[op].label) for op in asked.ops]
    control = _control(asked, condition, choices.get(condition.field, [])) if OPS[condition.op].takes_value else None
    return Line(condition.field, condition.op, ops, control)


def _control(asked: Field, condition: Condition, choices: Choices) -> Control:
    value: Any = condition.value
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if asked.kind == "flag":
        return Control("select", [("true", "Yes"), ("false", "No")], text)
    if asked.kind == "choice" and 0 < len(choices) <= MOST_CHOICES:
        missing = [(text, text)] if text and text not in dict(choices) else []
        return Control("select", [*choices, *missing], text)
    if condition.op == "days" or asked.kind == "number":
        return Control("number", [], text)
    return Control("date" if asked.kind == "date" else "text", [], text, asked.example)
