"""The socket of a run's page: replay from a cursor, then follow. No gap, no duplicate, whatever reconnects."""

import asyncio
import logging
from itertools import count
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.core.exceptions import PermissionDenied
from django.http import Http404

from projects.guards import project_for
from runs.doorbell import group_name
from runs.feed import RunFeed
from runs.models import Run

OWN_CLOCK = 2.0  # seconds after which it looks by itself: a bell may have been lost
GUARDED_EVERY = 5  # looks after which it is asked again whether the watcher may still see the run
NOT_FOUND, FORBIDDEN, TROUBLE = 4404, 4403, 1011
log = logging.getLogger(__name__)


class RunConsumer(AsyncJsonWebsocketConsumer):
    """``/ws/p/<slug>/runs/<id>/?after=<seq>`` sends ``{"events": […]}``, oldest first."""

    feed: RunFeed | None = None

    async def connect(self) -> None:
        self.slug, self.run_id = self.scope["url_route"]["kwargs"]["slug"], self.scope["url_route"]["kwargs"]["run_id"]
        try:
            await database_sync_to_async(_guard)(self.scope["user"], self.slug, self.run_id)
        except (Http404, PermissionDenied) as refusal:
            await self.accept()  # a code can only be sent on an open socket
            await self.close(code=_code(refusal))
            return
        after = parse_qs(self.scope["query_string"].decode()).get("after", ["0"])[0]
        self.cursor = int(after) if after.isdecimal() else 0
        self.sending = asyncio.Lock()
        self.feed = RunFeed.open(self.run_id)
        await self.accept()
        try:  # join before replaying, so that nothing falls between
            await self.channel_layer.group_add(group_name(self.run_id), self.channel_name)
        except Exception:  # Redis is away: the own clock below still brings every event
            pass
        self.clock = asyncio.create_task(self._follow_by_clock())

    async def disconnect(self, code: int) -> None:
        if self.feed is None:
            return
        self.clock.cancel()
        self.feed.close()
        try:
            await self.channel_layer.group_discard(group_name(self.run_id), self.channel_name)
        except Exception:
            pass

    async def run_bell(self, message: dict[str, Any]) -> None:
        if message["seq"] > self.cursor:
            await self._send_new(message["seq"])

    async def _follow_by_clock(self) -> None:
        """Look for events that no bell told of, while the watcher may see them. What goes wrong ends the socket: the page comes back."""
        code = TROUBLE
        try:
            for look in count(1):
                await self._send_new(None)
                await asyncio.sleep(OWN_CLOCK)
                if look % GUARDED_EVERY == 0:
                    await database_sync_to_async(_guard)(self.scope["user"], self.slug, self.run_id)
        except (Http404, PermissionDenied) as refusal:
            code = _code(refusal)
        except Exception as error:  # the database is away for a moment
            log.warning("The events of run %s cannot be sent: %s", self.run_id, error)
        await self.close(code=code)

    async def _send_new(self, upto: int | None) -> None:
        assert self.feed is not None
        async with self.sending:
            while events := await self.feed.after(self.cursor, upto):
                self.cursor = events[-1]["seq"]
                await self.send_json({"events": events})


def _code(refusal: Exception) -> int:
    return FORBIDDEN if isinstance(refusal, PermissionDenied) else NOT_FOUND


def _guard(user: Any, slug: str, run_id: UUID) -> None:
    project = project_for(user, slug)
    if not Run.objects.filter(pk=run_id, project=project).exists():
        raise Http404("There is no such run.")
