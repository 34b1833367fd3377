"""Weaviate beyond one machine: a collection an index, a tenant a project. Checked against a live server elsewhere (see docs)."""

import os
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from retrieval.stores.base import Space, StoredChunk, StoreError


@lru_cache(maxsize=8)
def _client(url: str, key: str, pid: int) -> Any:
    """One client a server and process."""
    import weaviate
    from weaviate.classes.init import Auth

    at = urlsplit(url)
    secure = at.scheme == "https"
    port = at.port or (443 if secure else 8080)
    try:
        return weaviate.connect_to_custom(
            http_host=at.hostname or "localhost",
            http_port=port,
            http_secure=secure,
            grpc_host=os.environ.get("VECTOR_STORE_GRPC_HOST") or at.hostname or "localhost",
            grpc_port=int(os.environ.get("VECTOR_STORE_GRPC_PORT") or (443 if secure else 50051)),
            grpc_secure=secure,
            auth_credentials=Auth.api_key(key) if key else None,
        )
    except Exception as error:  # its exceptions share no base with anything
        raise StoreError(f"The vector store at {at.hostname} does not answer: {error}") from error


class WeaviateStore:
    """Our own vectors, BM25 beside them, and one tenant a project, so that deleting a project is deleting its tenants."""

    def __init__(self, url: str) -> None:
        self._url = url

    def add(self, space: Space, chunks: Sequence[StoredChunk]) -> None:
        from weaviate.classes.data import DataObject

        objects = [
            DataObject(
                uuid=chunk.id,
                properties={"version": str(chunk.version), "words": chunk.words},
                vector=[float(x) for x in chunk.vector],
            )
            for chunk in chunks
        ]
        if not objects:
            return
        answer = self._tenant(space, create=True).data.insert_many(objects)
        if answer.has_errors:
            raise StoreError(f"The vector store refused passages: {next(iter(answer.errors.values())).message}")

    def remove(self, space: Space, versions: Collection[UUID], *, erase: bool = False) -> None:
        from weaviate.classes.query import Filter

        tenant = self._tenant(space)
        if tenant is not None and versions:
            tenant.data.delete_many(where=Filter.by_property("version").contains_any([str(version) for version in versions]))

    def finish(self, space: Space) -> None:
        """The server keeps its indexes itself."""

    def by_vector(self, space: Space, vector: Any, limit: int, only: Collection[UUID] | None = None) -> list[tuple[UUID, float]]:
        from weaviate.classes.query import Filter, MetadataQuery

        tenant = self._tenant(space)
        if tenant is None or (only is not None and not only):
            return []
        found = tenant.query.near_vector(
            near_vector=[float(x) for x in vector],
            limit=limit,
            filters=Filter.by_id().contains_any([str(key) for key in only]) if only is not None else None,
            return_metadata=MetadataQuery(distance=True),
            return_properties=[],
        )
        return [(UUID(str(one.uuid)), 1.0 - float(one.metadata.distance)) for one in found.objects]

    def by_words(self, space: Space, query: str, limit: int) -> list[tuple[UUID, float]]:
        from weaviate.classes.query import MetadataQuery

        tenant = self._tenant(space)
        if tenant is None or not query.strip():
            return []
        found = tenant.query.bm25(
            query=query,
            query_properties=["words"],
            limit=limit,
            return_metadata=MetadataQuery(score=True),
            return_properties=[],
        )
        return [(UUID(str(one.uuid)), float(one.metadata.score)) for one in found.objects]

    def count(self, space: Space) -> int:
        tenant = self._tenant(space)
        return int(tenant.aggregate.over_all(total_count=True).total_count or 0) if tenant is not None else 0

    def drop(self, project: str) -> None:
        client = self._connect()
        for name in client.collections.list_all(simple=True):
            if name.startswith("Chunks_"):
                collection = client.collections.get(name)
                if _tenant_name(project) in collection.tenants.get():
                    collection.tenants.remove([_tenant_name(project)])
                if not collection.tenants.get():
                    client.collections.delete(name)

    def _connect(self) -> Any:
        return _client(self._url, os.environ.get("VECTOR_STORE_KEY", "").strip(), os.getpid())

    def _tenant(self, space: Space, *, create: bool = False) -> Any:
        """The project's tenant; None where nothing was ever added. ``space.name`` starts in lower case, a collection may not."""
        from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
        from weaviate.classes.tenants import Tenant

        client, name, tenant = self._connect(), space.name.capitalize(), _tenant_name(space.project)
        if not client.collections.exists(name):
            if not create:
                return None
            client.collections.create(
                name,
                properties=[
                    Property(name="version", data_type=DataType.TEXT, tokenization=Tokenization.FIELD, index_searchable=False),
                    Property(name="words", data_type=DataType.TEXT, tokenization=Tokenization.WORD),
                ],
                vector_config=Configure.Vectors.self_provided(
                    vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
                ),
                multi_tenancy_config=Configure.multi_tenancy(enabled=True, auto_tenant_activation=True),
            )
        collection = client.collections.get(name)
        if tenant not in collection.tenants.get():
            if not create:
                return None
            collection.tenants.create([Tenant(name=tenant)])
        return collection.with_tenant(tenant)


def _tenant_name(project: str) -> str:
    return f"project-{project}"
