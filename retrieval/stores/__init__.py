"""Vector stores behind one protocol: LanceDB on this disk, or Weaviate when ``VECTOR_STORE_URL`` names one."""

import os
import threading

from django.conf import settings

from retrieval.stores.base import ChunkStore, StoredChunk, StoreError

__all__ = ["ChunkStore", "StoreError", "StoredChunk", "store", "warm"]


def store() -> ChunkStore:
    """The store this studio uses. Cheap: it connects when it is first asked something."""
    url = getattr(settings, "VECTOR_STORE_URL", "") or os.environ.get("VECTOR_STORE_URL", "").strip()
    if url:
        from retrieval.stores.weaviate import WeaviateStore

        return WeaviateStore(url)
    from retrieval.stores.lance import LanceStore

    return LanceStore(settings.INDEX_ROOT)


_warm = threading.Event()


def warm() -> None:
    """Import what a search needs, once and beside the request: the first question should not wait for it."""
    if not _warm.is_set():
        _warm.set()
        threading.Thread(target=_import, daemon=True).start()


def _import() -> None:
    import lancedb.query  # noqa: F401
    import openai.resources  # noqa: F401
