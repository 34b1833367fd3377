"""Where something stands: document, version, page and span, and the address that opens it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from projects.models import Project
from retrieval.models import Chunk


@dataclass(frozen=True)
class Citation:
    """``version.text()[start:end]`` is what is cited; ``page`` counts from 1 and is None where the document has none."""

    document: UUID
    version: UUID
    name: str
    page: int | None
    start: int
    end: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "document": str(self.document),
            "version": str(self.version),
            "page": self.page,
            "start": self.start,
            "end": self.end,
        }


def citation_of(chunk: Chunk, start: int | None = None, end: int | None = None) -> Citation:
    """The citation of a passage, or of the span ``start`` to ``end`` of its document's text within it."""
    version = chunk.version
    begin = chunk.start if start is None else start
    page = chunk.page if start is None else version.page_at(start)
    return Citation(version.document_id, version.pk, version.document.name, page, begin, chunk.end if end is None else end)


def citation_url(project: Project, document: UUID | str, start: int, end: int, version: UUID | str | None = None) -> str:
    """The document's page, scrolled to the span. ``version`` pins the one that was cited: a newer one may have moved it."""
    query: dict[str, Any] = {"start": start, "end": end}
    if version:
        query["version"] = str(version)
    return f"{reverse('retrieval:document', args=[project.slug, document])}?{urlencode(query)}#passage"
