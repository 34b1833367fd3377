"""What people know that is no document yet (a wiki, a ticket log, a query's result), cut into texts that can be read as documents."""

from engine.lib.source_texts.text import SourceError, SourceText

__all__ = ["SourceError", "SourceText"]
