"""Short writing transactions of many people at once.

SQLite has one writer; whoever finds it busy sleeps and looks again, ever longer, while others slip in. The threads of one process wait for
one another here instead, and are woken the moment it is free. On PostgreSQL rows are locked, and nobody waits here.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

_turn = threading.Lock()


@contextmanager
def in_turn() -> Iterator[None]:
    """A transaction; inside another one, a part of it."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    with _turn, transaction.atomic():
        yield
