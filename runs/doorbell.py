"""Ring the browsers that watch a run. A bell may be lost; nothing depends on it: the rows are in the database."""

import logging
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

log = logging.getLogger(__name__)


def group_name(run_id: UUID | str) -> str:
    return f"run.{run_id}"


def ring(run_id: UUID | str, seq: int) -> None:
    """Tell the group of ``run_id`` that events up to ``seq`` can be read."""
    try:
        async_to_sync(get_channel_layer().group_send)(group_name(run_id), {"type": "run.bell", "seq": seq})
    except Exception as error:  # Redis is away, in one of its many ways; watchers read on by their own clock
        log.info("The bell of run %s was not heard: %s", run_id, error)
