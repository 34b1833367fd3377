"""Pages of documents and search."""

from retrieval.views.adding import text_add
from retrieval.views.documents import (
    document_bulk,
    document_delete,
    document_detail,
    document_export,
    document_file,
    document_list,
    document_read,
    document_retry,
    document_upload,
)
from retrieval.views.search import measure_start, measure_stop, search_page

__all__ = [
    "document_bulk",
    "document_delete",
    "document_detail",
    "document_export",
    "document_file",
    "document_list",
    "document_read",
    "document_retry",
    "document_upload",
    "measure_start",
    "measure_stop",
    "search_page",
    "text_add",
]
