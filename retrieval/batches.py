"""Long lists in pieces: SQLite has one writer, and others want to write too."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

BATCH = 500  # rows in one transaction
T = TypeVar("T")


def batched(items: Iterable[T], size: int = BATCH) -> Iterator[tuple[T, ...]]:
    """``items`` in tuples of ``size``, the last one shorter."""
    rest = iter(items)
    while some := tuple(islice(rest, size)):
        yield some
