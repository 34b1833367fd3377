"""Files beyond one machine. ``shared.py``: the store that all machines reach; ``cache.py``: what of it lies on this one;
``checkpoints.py``: where a run can go on from, whichever machine it was on.

Without ``ARTIFACT_STORE_URL`` there is no shared store, nothing here does anything, and its library is not even imported.
"""

import os
from functools import lru_cache

from django.conf import settings

from runs.store.shared import SharedStore, StoreAway

__all__ = ["SharedStore", "StoreAway", "shared_store"]


def shared_store() -> SharedStore | None:
    """The store that ``ARTIFACT_STORE_URL`` names, or None where this machine's disk is all there is."""
    return _connected(settings.ARTIFACT_STORE_URL, os.getpid()) if settings.ARTIFACT_STORE_URL else None


@lru_cache(maxsize=4)
def _connected(url: str, process: int) -> SharedStore:
    """One client a process: its threads do not come along into a forked one."""
    return SharedStore(url)
