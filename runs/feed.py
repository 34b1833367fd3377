"""One reader a run and web process: on each bell it reads the new rows once, for however many browsers watch."""

import asyncio
from collections import deque
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async

from runs.selectors import events_after

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
        """Events with ``seq > cursor``, oldest first. Reads the database unless what is kept reaches ``upto`` already."""
        async with self._lock:
            if self._last is None or (self._events and self._events[0]["seq"] > cursor + 1 and cursor < self._last):
                if self._last is not None:  # this cursor is too far behind for what is kept
                    return await self._read(cursor)
                self._last = cursor
            elif cursor < self._last and not self._events:
                return await self._read(cursor)
            if upto is None or upto > self._last:
                while fresh := await self._read(self._last):
                    self._events.extend(fresh)
                    self._last = fresh[-1]["seq"]
            return [event for event in self._events if event["seq"] > cursor]

    async def _read(self, cursor: int) -> list[Event]:
        return await database_sync_to_async(events_after)(self._run_id, cursor)
