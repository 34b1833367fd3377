"""What every vector store can do. ``space`` names one index of one project: nothing is ever shared between two of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from retrieval.models import Index


@dataclass(frozen=True)
class StoredChunk:
    """``words`` is what full-text search reads: the passage with its headings."""

    id: UUID
    version: UUID
    words: str
    vector: Any  # numpy float32, unit length


@dataclass(frozen=True)
class Space:
    """Where the chunks of one index lie."""

    project: str
    name: str
    dimensions: int


class StoreError(Exception):
    """The store does not answer, or not as it should."""


class ChunkStore(Protocol):
    def add(self, space: Space, chunks: Sequence[StoredChunk]) -> None:
        """Insert ``chunks``. Whoever takes in again removes their versions first."""

    def remove(self, space: Space, versions: Collection[UUID], *, erase: bool = False) -> None:
        """Remove every chunk of ``versions``. With ``erase`` their bytes are gone from the disk as well when this returns."""

    def finish(self, space: Space) -> None:
        """Called after the last ``add``: bring full-text and vector indexes up to date."""

    def by_vector(self, space: Space, vector: Any, limit: int, only: Collection[UUID] | None = None) -> list[tuple[UUID, float]]:
        """The nearest chunks with their cosine similarity, best first; ``only`` restricts the search to these."""

    def by_words(self, space: Space, query: str, limit: int) -> list[tuple[UUID, float]]:
        """The best chunks by full text (BM25) with their score. No character in ``query`` has a meaning of its own."""

    def count(self, space: Space) -> int: ...

    def drop(self, project: str) -> None:
        """Remove all that the project has in the store."""


def space_of(index: Index) -> Space:
    return Space(str(index.project_id), f"chunks_{index.pk.hex}", index.dimensions)
