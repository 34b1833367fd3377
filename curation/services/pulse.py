"""The heart of a chore: a thread that writes down how far it is, and hears that it is to stop."""

import logging
import threading
import time
from types import TracebackType
from typing import Self

from django.db import connection
from django.db.utils import DatabaseError
from django.utils import timezone

from curation.models import Chore, ChoreState

log = logging.getLogger(__name__)

BEAT = 0.5  # seconds
BREATH = 0.01  # seconds between two transactions in which others may write: SQLite's lock goes to whoever asks first


class Pulse:
    """Beats while the block runs. ``tick`` is what the work calls; it never touches the database itself.

    The thread has a connection of its own, so that the work may tell how far it is in the middle of reading (on SQLite a reader that
    turns writer is refused), and so that a long step without a tick is not taken for a dead worker.
    """

    def __init__(self, chore: Chore) -> None:
        self._row = Chore.objects.filter(pk=chore.pk, state=ChoreState.RUNNING)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"pulse {chore.pk}", daemon=True)
        self.done, self.step, self.stopping = 0, "", False
        self.refused = False  # the work was told to end early

    def tick(self, done: int, step: str = "") -> bool:
        """A ``Tick``: remember how far it is, let others write, answer whether to go on."""
        self.done, self.step = done, step
        time.sleep(BREATH)
        self.refused = self.stopping
        return not self.stopping

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            while not self._end.wait(BEAT):
                try:
                    there = self._row.update(done=self.done, step=self.step[:80], beat_at=timezone.now())
                    self.stopping = not there or self._row.filter(stopping=True).exists()
                except DatabaseError as error:  # a busy database is no reason to end: the next beat may get through
                    log.warning("A chore's pulse could not be written: %s", error)
        finally:
            connection.close()
