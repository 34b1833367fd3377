"""What is done to documents: uploading, reading, taking in, deleting."""

from retrieval.services.adding import SOURCES, SourceRefused, source_add, text_add
from retrieval.services.deleting import documents_delete, project_erase
from retrieval.services.reading import ReadingError, documents_ingest, documents_retry, ingest_waiting, run_ended
from retrieval.services.taking_in import chunks_take_in
from retrieval.services.uploading import UploadResult, documents_upload

__all__ = [
    "SOURCES",
    "ReadingError",
    "SourceRefused",
    "UploadResult",
    "chunks_take_in",
    "documents_delete",
    "documents_ingest",
    "documents_retry",
    "documents_upload",
    "ingest_waiting",
    "project_erase",
    "run_ended",
    "source_add",
    "text_add",
]
