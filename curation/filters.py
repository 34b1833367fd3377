"""Which pairs are meant, as a tree that travels in addresses and is kept by name.

    {"all": [{"field": "status", "op": "is", "value": "APPROVED"}, {"any": [...]}, {"not": {...}}]}

``filter_read`` takes what anybody may have sent, ``filter_q`` makes a condition of it. What may be asked is in ``curation.filter_fields``,
what it means in words in ``curation.selectors.filters``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from django.core.exceptions import BadRequest
from django.db.models import Q, QuerySet

from curation.filter_fields import FIELDS
from curation.filter_values import OPS, Value, ValueWrong
from curation.models import Pair
from projects.models import Project

DEPTH, CONDITIONS = 6, 60  # more of either is no filter that a person made
Tree = dict[str, Any]


class FilterError(BadRequest):
    """This is no filter; the message says which part is not, and what it may be. A page that does not catch it answers 400."""


@dataclass(frozen=True)
class Condition:
    """One thing asked of a pair. ``value`` has been checked against its field."""

    field: str
    op: str
    value: Value = None

    def tree(self) -> Tree:
        return {"field": self.field, "op": self.op} | ({} if self.value is None else {"value": self.value})


@dataclass(frozen=True)
class Group:
    """``all`` or ``any`` of its parts, or ``not`` its only one. An empty group asks nothing."""

    kind: Literal["all", "any", "not"]
    parts: tuple["Condition | Group", ...] = ()

    def tree(self) -> Tree:
        return {"not": self.parts[0].tree()} if self.kind == "not" else {self.kind: [part.tree() for part in self.parts]}

    def conditions(self) -> Iterator[Condition]:
        for part in self.parts:
            if isinstance(part, Condition):
                yield part
            else:
                yield from part.conditions()


EVERYTHING = Group("all")


def filter_parse(text: str) -> Group:
    """The filter in an address (`f=`); one that asks nothing for an empty text. Raises ``FilterError``."""
    if not text.strip():
        return EVERYTHING
    try:
        return filter_read(json.loads(text))
    except (ValueError, RecursionError):
        raise FilterError("The filter in this address was cut short or changed. Open the table again and set it anew.") from None


def filter_text(group: Group) -> str:
    """As it travels in an address; empty where nothing is asked."""
    return json.dumps(group.tree(), separators=(",", ":"), ensure_ascii=False) if group.parts else ""


def filter_read(tree: Any) -> Group:
    """The tree with every field, operator and value checked; a condition alone becomes a group of one. Raises ``FilterError``."""
    node = _read(tree, DEPTH)
    group = node if isinstance(node, Group) else Group("all", (node,))
    if sum(1 for _ in group.conditions()) > CONDITIONS:
        raise FilterError(f"A filter has at most {CONDITIONS} conditions.")
    return group


def _read(node: Any, depth: int) -> Condition | Group:
    if not depth:
        raise FilterError(f"Groups of a filter stand in one another at most {DEPTH} deep.")
    if not isinstance(node, dict):
        raise FilterError("A part of the filter is neither a condition nor a group.")
    if "field" in node:
        return _condition(node)
    if node.keys() == {"not"}:
        return Group("not", (_read(node["not"], depth - 1),))
    if len(node) == 1 and (kind := next(iter(node))) in ("all", "any") and isinstance(node[kind], list):
        return Group(kind, tuple(_read(part, depth - 1) for part in node[kind]))
    if not node:
        return EVERYTHING
    raise FilterError("A group of the filter is one of all, any and not, with its parts.")


def _condition(node: dict[str, Any]) -> Condition:
    key, op = node.get("field"), node.get("op")
    field = FIELDS.get(key) if isinstance(key, str) else None
    if field is None:
        raise FilterError(f"Pairs have no field “{str(key)[:40]}”. There are: {', '.join(FIELDS)}.")
    key = str(key)
    if op not in field.ops:
        raise FilterError(f"{field.label} cannot be asked “{str(op)[:40]}”. It can be: {', '.join(field.ops)}.")
    if not OPS[op].takes_value:
        return Condition(key, op)
    try:
        return Condition(key, op, field.read(op, node.get("value")))
    except ValueWrong as error:
        raise FilterError(f"{field.label} {OPS[op].label}: {error}") from None


def pairs_matching(project: Project, tree: Any) -> QuerySet[Pair]:
    """The pairs of ``project`` that a tree means, in no order. Raises ``FilterError``."""
    return Pair.objects.filter(filter_q(project, filter_read(tree)), project=project)


def filter_q(project: Project, group: Group) -> Q:
    """The condition on pairs of ``project``; what is not set asks nothing. Costs one query where findings are asked about, else none."""
    if group.kind == "not":
        inner = _q(project, group.parts[0])
        return ~inner if inner else Q()
    found = Q()
    for part in group.parts:
        one = _q(project, part)
        if one:
            found = found & one if group.kind == "all" else found | one
    return found


def _q(project: Project, node: Condition | Group) -> Q:
    if isinstance(node, Group):
        return filter_q(project, node)
    field = FIELDS[node.field]
    if node.op in ("is_not", "lacks"):
        return ~field.q(project, "is" if node.op == "is_not" else "contains", node.value)
    return field.q(project, node.op, node.value)
