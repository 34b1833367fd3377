"""What a pair tells its annotators beside its words: who suggests them, how sure that is, and what else came with them."""

import json
from typing import Any

from curation.models import Origin, Pair

SUPPORT = "support"  # 0 to 1: what a generating stage leaves in ``extra``
MAKERS, SCORES = ("agent", "model"), ("score", "confidence")  # columns of an import, also as the end of a dotted name
LONGEST = 2_000  # characters of a value that are shown


def suggested_by(pair: Pair) -> str:
    """Who suggests the words and how sure they were, where it is known: "imported from faq.csv, line 7, by gpt-x, score 0.82"."""
    parts = [pair.origin_words]
    if pair.origin == Origin.IMPORTED:
        if maker := _first(pair.extra, MAKERS):
            parts.append(f"by {maker}")
        if score := _first(pair.extra, SCORES):
            parts.append(f"score {score}")
    elif isinstance(support := pair.extra.get(SUPPORT), int | float):
        parts.append(f"{support:.0%} supported by its passage")
    return ", ".join(parts)


def came_with(pair: Pair) -> list[tuple[str, str]]:
    """(name, value) of the columns an import brought, or the measures a stage took, in their order; long values are cut."""
    shown = [(name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)) for name, value in pair.extra.items()]
    return [(name, value if len(value) <= LONGEST else f"{value[:LONGEST]} …") for name, value in shown]


def _first(extra: dict[str, Any], names: tuple[str, ...]) -> str:
    """The first single value whose column is called so; empty for none."""
    for name, value in extra.items():
        if name.rsplit(".", 1)[-1].casefold() in names and isinstance(value, str | int | float) and str(value).strip():
            return str(value).strip()[:80]
    return ""
