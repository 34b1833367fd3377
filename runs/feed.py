"""One reader a run and web process: on each bell it reads the new rows once, for however many browsers watch."""

import asyncio
import time
from collections import deque
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async

from runs.selectors import events_after

FRESH = 0.5  # seconds for which all watchers share what one of them has read by its own clock
KEPT = 2000  # events kept for cursors that are a little behind; who is further behind reads the database
Event = dict[str, Any]


class RunFeed:
    """The latest events of one run. ``open`` hands out one feed a run to all its watchers; ``close`` lets the last one drop it."""

    _feeds: dict[UUID, "RunFeed"] = {}

    def __init__(self, run_id: UUID) -> None:
        self._run_id = run_id
        self._watchers = 0
        self._lock = asyncio.Lock()
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._last: int | None = None  # nothing read yet
        self._read_at = float("-inf")

    @classmethod
    def open(cls, run_id: UUID) -> "RunFeed":
        feed = cls._feeds.setdefault(run_id, cls(run_id))
        feed._watchers += 1
        return feed

    def close(self) -> None:
        self._watchers -= 1
        if self._watchers == 0:
            self._feeds.pop(self._run_id, None)

    async def after(self, cursor: int, upto: int | None = None) -> list[Event]:
        """Events with ``seq > cursor``, oldest first. Reads the database only if what was read does not reach ``upto`` yet, or, where
        the caller does not know how far there is to read, if nobody has read for ``FRESH`` seconds.
        """
        async with self._lock:
            if self._last is None:
                self._last = cursor  # the first watcher decides where the feed begins
            if upto > self._last if upto is not None else time.monotonic() - self._read_at >= FRESH:
                self._read_at = time.monotonic()
                while fresh := await self._read(self._last):
                    self._events.extend(fresh)
                    self._last = fresh[-1]["seq"]
            begins = self._events[0]["seq"] if self._events else self._last + 1
            if cursor + 1 < begins:
                return await self._read(cursor)
            return [event for event in self._events if event["seq"] > cursor]

    async def _read(self, cursor: int) -> list[Event]:
        return await database_sync_to_async(events_after)(self._run_id, cursor)
