"""Which of a project's pairs a page means: what stands in its address."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curation.filters import EVERYTHING, Condition, FilterError, Group, filter_parse, filter_read, filter_text

NONE = "none"  # in an address: those that have no topic, no tag, no document …
PLAIN = ("status", "shape", "document", "topic", "tag", "origin", "language", "difficulty")
CONTEXT_TOKENS = 1024  # of training's defaults, where they cannot be asked
CHARACTERS_A_TOKEN = 3.5  # of English in small vocabularies; the training stage counts exactly


@dataclass(frozen=True)
class Query:
    """The filters of the table: the plain ones, each a word in the address, the words searched for, and a tree of them (`f=`).

    Together they are one filter, ``group``; it is also what "all that match" means in a bulk action.
    """

    status: str = ""
    shape: str = ""
    document: str = ""
    topic: str = ""
    tag: str = ""
    origin: str = ""
    language: str = ""
    difficulty: str = ""
    problem: str = ""
    text: str = ""
    tree: Group = EVERYTHING
    sort: str = ""

    @classmethod
    def from_get(cls, data: Mapping[str, str]) -> "Query":
        """Raises ``FilterError`` for a tree that cannot be read; a plain filter that says nothing sensible is passed over."""
        plain = {name: data.get(name, "").strip() for name in (*PLAIN, "problem", "sort")}
        return cls(**plain, text=data.get("q", "").strip(), tree=filter_parse(data.get("f", "")))

    @property
    def group(self) -> Group:
        parts: list[Condition | Group] = [one for name in PLAIN if (one := _plain(name, getattr(self, name)))]
        if problem := problems().get(self.problem):
            parts.append(problem)
        if self.text:
            parts.append(Condition("any", "contains", self.text))
        if self.tree.parts:
            parts.append(self.tree)
        return Group("all", tuple(parts))

    @property
    def tree_text(self) -> str:
        """The tree as it travels in an address."""
        return filter_text(self.tree)

    def described(self) -> str:
        """For the audit log: the fields that are asked about, not the words that were searched for."""
        parts = [f"{name}={value}" for name in (*PLAIN, "problem") if (value := getattr(self, name))]
        fields = sorted({one.field for one in self.tree.conditions()})
        return ", ".join([*parts, *([f"filter on {' '.join(fields)}"] if fields else []), *(["search"] if self.text else [])]) or "all"


def _plain(name: str, value: str) -> Condition | None:
    if not value:
        return None
    node: dict[str, Any] = {"field": name, "op": "is", "value": value}
    try:
        (condition,) = filter_read({**node, "op": "empty"} if value == NONE else node).conditions()
    except FilterError:
        return None
    return condition


def problems() -> dict[str, Condition]:
    """What the page of datasets links to, by name."""
    return {
        "long": Condition("answer_length", "at_least", longest_answer() + 1),
        "empty": Condition("answer_length", "is", 0),
        "same": Condition("same_answer", "is", True),
        "stale": Condition("stale", "is", True),
    }


def context_tokens() -> int:
    """The longest text that training reads with its defaults, in tokens."""
    from engine import registry

    try:
        return int(registry.get("sft").schema()["properties"]["max_length"]["default"])
    except (registry.RegistryError, KeyError, TypeError):
        return CONTEXT_TOKENS


def longest_answer() -> int:
    """Characters above which an answer is probably cut by the context."""
    return int(context_tokens() * CHARACTERS_A_TOKEN)
