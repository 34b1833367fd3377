"""How many of the pairs that match have which topic, tag, status …: one field at a time, each one query."""

from dataclasses import dataclass, replace

from django.db.models import CharField, Count, QuerySet
from django.db.models.functions import Cast

from curation.filter_fields import FIELDS
from curation.models import Pair, PairTag
from curation.query import NONE, PLAIN, Query
from curation.selectors.filters import choices_of
from curation.selectors.pairs import pairs_of
from projects.models import Project

SHOWN = 50  # values of a field; the rarer ones are found by typing


@dataclass(frozen=True)
class Value:
    """``value`` is what stands in the address, ``label`` what people read; ``current`` is whether the table is filtered by it."""

    value: str
    label: str
    count: int
    current: bool


@dataclass(frozen=True)
class Facet:
    """``values`` the most frequent first, ``more`` how many further ones there are."""

    key: str
    label: str
    values: tuple[Value, ...]
    more: int


def facet(project: Project, query: Query, key: str) -> Facet:
    """The values of a plain field among the pairs that everything else in ``query`` leaves. Raises ``KeyError`` for another field."""
    if key not in PLAIN:
        raise KeyError(key)
    current, rest = getattr(query, key), {key: ""}
    pairs = pairs_of(project, replace(query, **rest)).order_by()  # type: ignore[arg-type]
    counts = _tag_counts(pairs) if key == "tag" else _counts(pairs, {"document": "document_id"}.get(key, key))
    names = dict(choices_of(project, [key])[key])
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    values = [
        Value(value or NONE, names.get(value, value) if value else "Not set", count, current == (value or NONE)) for value, count in rows
    ]
    return Facet(key, FIELDS[key].label, tuple(values[:SHOWN]), max(0, len(values) - SHOWN))


def _counts(pairs: QuerySet[Pair], column: str) -> dict[str, int]:
    # cast, so that the database groups what the filter found rather than walking an index of this column through the whole project
    rows = pairs.annotate(value=Cast(column, CharField())).values_list("value").annotate(times=Count("*"))
    return {value or "": times for value, times in rows}


def _tag_counts(pairs: QuerySet[Pair]) -> dict[str, int]:
    return dict(PairTag.objects.filter(pair__in=pairs).values_list("tag__name").annotate(times=Count("*")))
