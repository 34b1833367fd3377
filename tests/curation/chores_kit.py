"""Chores as tests want them: five pairs are many, no worker is told, and what a worker would do is done here."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from curation.models import Chore
from curation.services import chores, pulse
from curation.services.chores import chore_run
from curation.tasks import curation_chore


def made_small(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Five pairs are many, two a batch, and the heart beats fast. The ids of the chores that workers were told of."""
    told: list[str] = []
    monkeypatch.setattr(chores, "AT_ONCE", 5)
    monkeypatch.setattr(pulse, "BEAT", 0.01)
    monkeypatch.setattr(curation_chore, "apply_async", lambda args, **options: told.append(args[0]))
    batched = "curation.services.chosen.batched"
    monkeypatch.setattr(batched, lambda items, size=2: [tuple(items[at : at + size]) for at in range(0, len(items), size)])
    return told


def ended(chore: Chore) -> Chore:
    chore_run(chore.pk)
    chore.refresh_from_db()
    return chore


def at_half(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Between the second batch and the third, ``act``, and wait until the heart has heard of it."""
    tick = pulse.Pulse.tick

    def told(self: pulse.Pulse, done: int, step: str = "") -> bool:
        if done == 4:
            act()
            deadline = timezone.now() + timedelta(seconds=10)
            while not self.stopping and timezone.now() < deadline:
                threading.Event().wait(0.005)
        return tick(self, done, step)

    monkeypatch.setattr(pulse.Pulse, "tick", told)
