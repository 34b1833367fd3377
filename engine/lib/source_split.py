"""python -m engine.lib.source_split KIND FILE FOLDER: a source cut into documents, in a process that may die.

Writes the documents into FOLDER and prints ``{"files": [name]}``, or ``{"problem": {"message", "mend"}}``.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.lib.pair_files import memory_limit
from engine.lib.source_texts import SourceError, SourceText
from engine.lib.source_texts.conversations import conversations
from engine.lib.source_texts.table_rows import table_rows
from engine.lib.source_texts.wiki import html_zip, media_wiki

KINDS: dict[str, Callable[[Path], Iterator[SourceText]]] = {
    "media_wiki": media_wiki, "html_zip": html_zip, "conversations": conversations, "table_rows": table_rows,
}  # fmt: skip
MEMORY = 2 * 2**30  # bytes
DOCUMENTS = 2_000  # from one source at a time


def split(kind: str, path: Path, folder: Path) -> list[str]:
    """The names of what was written. Raises ``SourceError``."""
    names: list[str] = []
    taken: set[str] = set()
    for text in KINDS[kind](path):
        if len(names) == DOCUMENTS:
            raise SourceError(f"This source holds more than {DOCUMENTS:,} documents.", "Export it in parts.")
        stem, dot, ending = text.name.rpartition(".")
        name, number = text.name, 2
        while name.casefold() in taken:
            name, number = f"{stem} ({number}){dot}{ending}", number + 1
        taken.add(name.casefold())
        (folder / name).write_bytes(text.content)
        names.append(name)
    if not names:
        raise SourceError("No page with text was found in this file.", "Look at it in its own program, and export it again.")
    return names


def main(kind: str, path: str, folder: str) -> int:
    memory_limit(MEMORY)
    try:
        answer: dict[str, object] = {"files": split(kind, Path(path), Path(folder))}
    except SourceError as error:
        answer = {"problem": {"message": str(error), "mend": error.mend}}
    except MemoryError:
        answer = {"problem": {"message": "This file takes more memory than a source should.", "mend": "Export it in parts."}}
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
