"""Long lists in pieces."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """``items`` in tuples of ``size``, the last one shorter."""
    rest = iter(items)
    while some := tuple(islice(rest, size)):
        yield some
