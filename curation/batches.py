"""SQLite has one writer: big things are written in small transactions."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

BATCH = 500
T = TypeVar("T")


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """``items`` in lists of at most ``BATCH``."""
    iterator = iter(items)
    while some := list(islice(iterator, BATCH)):
        yield some
