"""LanceDB on this machine's disk: a folder a project, a table an index."""

import fcntl
import os
import shutil
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from retrieval.stores.base import Space, StoredChunk, StoreError

ANN_FROM = 50_000  # rows; below, comparing with every vector is exact and fast enough
AGAIN = 3
KEEP_VERSIONS = timedelta(minutes=5)  # readers of other processes may still be on an older version of a table


@lru_cache(maxsize=64)
def _connection(folder: Path, pid: int) -> Any:
    """One connection a folder and process: its threads do not survive a fork. Fresh reads, for other processes write."""
    import lancedb

    return lancedb.connect(folder, read_consistency_interval=timedelta(0))


class LanceStore:
    """Writes of a project are one at a time, over all processes; reads never wait."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def add(self, space: Space, chunks: Sequence[StoredChunk]) -> None:
        if not chunks:
            return
        with self._writing(space.project):
            self._table(space, create=True).add(_arrow(space, chunks))

    def remove(self, space: Space, versions: Collection[UUID], *, erase: bool = False) -> None:
        with self._writing(space.project):
            table = self._table(space)
            if table is None or not versions:
                return
            table.delete(f"version IN ({_quoted(versions)})")
            if erase:
                # A deleted row stays in its file until that is rewritten, and an overwritten file until its version is dropped
                self._connect(space.project).create_table(space.name, data=table.to_arrow(), mode="overwrite")
                table = self._table(space)
                _index_words(table)
                with warnings.catch_warnings():  # it warns of readers of the older version: they ask again
                    warnings.simplefilter("ignore")
                    table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)

    def finish(self, space: Space) -> None:
        with self._writing(space.project):
            table = self._table(space)
            if table is None:
                return
            if not any("words" in index.columns for index in table.list_indices()):
                _index_words(table)
            if table.count_rows() >= ANN_FROM and not any("vector" in index.columns for index in table.list_indices()):
                _index_vectors(table)
            table.optimize(cleanup_older_than=KEEP_VERSIONS)

    def by_vector(self, space: Space, vector: Any, limit: int, only: Collection[UUID] | None = None) -> list[tuple[UUID, float]]:
        def ask(table: Any) -> Any:
            query = table.search(vector, vector_column_name="vector", query_type="vector").distance_type("cosine")
            if only is not None:
                query = query.where(f"id IN ({_quoted(only)})", prefilter=True)
            return query.select(["id", "_distance"]).limit(limit).refine_factor(2).to_arrow()

        if only is not None and not only:
            return []
        found = self._ask(space, ask)
        return [(UUID(key), 1.0 - distance) for key, distance in _columns(found, "id", "_distance")]

    def by_words(self, space: Space, query: str, limit: int) -> list[tuple[UUID, float]]:
        from lancedb.query import MatchQuery

        def ask(table: Any) -> Any:
            return table.search(MatchQuery(words, "words"), query_type="fts").select(["id", "_score"]).limit(limit).to_arrow()

        words = _plain(query)
        found = self._ask(space, ask) if words else None
        return [(UUID(key), score) for key, score in _columns(found, "id", "_score")]

    def count(self, space: Space) -> int:
        table = self._table(space)
        return table.count_rows() if table is not None else 0

    def drop(self, project: str) -> None:
        with self._writing(project):
            shutil.rmtree(self._root / project, ignore_errors=True)
        (self._root / f"{project}.lock").unlink(missing_ok=True)

    def _ask(self, space: Space, ask: Any) -> Any:
        """Ask, and once more when a version of the table was cleaned away meanwhile. None where there is no table."""
        for attempt in range(AGAIN):
            table = self._table(space)
            if table is None:
                return None
            try:
                return ask(table)
            except Exception as error:  # lance raises RuntimeError, ValueError and OSError alike
                if attempt == AGAIN - 1:
                    raise StoreError(f"The index could not be read: {error}") from error
        return None

    def _connect(self, project: str) -> Any:
        folder = self._root / project
        folder.mkdir(parents=True, exist_ok=True)
        return _connection(folder, os.getpid())

    def _table(self, space: Space, *, create: bool = False) -> Any:
        if not create and not (self._root / space.project / f"{space.name}.lance").is_dir():
            return None
        database = self._connect(space.project)
        if create:
            return database.create_table(space.name, schema=_schema(space), exist_ok=True)
        return database.open_table(space.name)

    @contextmanager
    def _writing(self, project: str) -> Iterator[None]:
        self._root.mkdir(parents=True, exist_ok=True)
        with open(self._root / f"{project}.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _schema(space: Space) -> Any:
    import pyarrow as pa

    vector = pa.list_(pa.float32(), space.dimensions)
    return pa.schema([("id", pa.string()), ("version", pa.string()), ("words", pa.string()), ("vector", vector)])


def _arrow(space: Space, chunks: Sequence[StoredChunk]) -> Any:
    import numpy as np
    import pyarrow as pa

    flat = np.concatenate([np.asarray(chunk.vector, dtype=np.float32) for chunk in chunks])
    columns = [
        pa.array([str(chunk.id) for chunk in chunks]),
        pa.array([str(chunk.version) for chunk in chunks]),
        pa.array([chunk.words for chunk in chunks]),
        pa.FixedSizeListArray.from_arrays(pa.array(flat), space.dimensions),
    ]
    return pa.Table.from_arrays(columns, schema=_schema(space))


def _index_words(table: Any) -> None:
    from lancedb.index import FTS

    # Stop words stay: "with", "not" and "for" are what a question about a language, a law or a drug may hang on; BM25 weighs them
    table.create_index("words", config=FTS(stem=True, remove_stop_words=False, ascii_folding=True), replace=True)


def _index_vectors(table: Any) -> None:
    from lancedb.index import IvfPq

    table.create_index("vector", config=IvfPq(distance_type="cosine"), replace=True)


def _columns(found: Any, *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(found[name].to_pylist() for name in names), strict=True) if found is not None else iter(())


def _quoted(keys: Collection[UUID]) -> str:
    return ", ".join(f"'{UUID(str(key))}'" for key in keys)


def _plain(query: str) -> str:
    """Letters and digits of any script; the rest is space, so that no query language is left in it."""
    return " ".join("".join(c if c.isalnum() else " " for c in query).split())[:2000]
