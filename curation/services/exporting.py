"""Pairs into a file to take away."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db.models import QuerySet

from curation.documents import document_names
from curation.export_files import Rows, Told, write_csv, write_excel, write_json_lines, write_parquet
from curation.models import Pair
from curation.services.chosen import Tick, go_on, unwatched
from engine.lib.pair_formats import FORMATS, PairRow
from projects import audit
from projects.models import Project, User
from retrieval.batches import BATCH

BLOCK = 2**20  # bytes
READ = (
    "messages", "rejected", "fork", "shape", "topic", "language", "difficulty", "sources", "parent_id", "extra", "status", "origin",
    "made_by", "document_id", "project_id",
)  # fmt: skip


class ExportError(Exception):
    """The pairs do not fit into the file that was asked for."""


@dataclass(frozen=True)
class ExportFormat:
    """``key`` names it in an address; ``preferences`` says that only pairs with a rejected answer go into it; ``steps`` are what each
    reading of the rows is for.
    """

    key: str
    title: str
    about: str
    extension: str
    media_type: str
    write: Callable[[IO[bytes], Rows], int]
    preferences: bool = False
    steps: tuple[str, ...] = ("Writing the file",)


def _json_lines(key: str) -> ExportFormat:
    one = FORMATS[key]

    def write(file: IO[bytes], rows: Rows) -> int:
        return write_json_lines(file, rows, key)

    return ExportFormat(key, f"{one.title} (JSONL)", one.about, ".jsonl", "application/jsonl", write, preferences=key == "preference")


TABLE = ("Finding the columns", "Writing the file")
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EXPORTS: dict[str, ExportFormat] = {
    one.key: one
    for one in (
        *(_json_lines(key) for key in ("messages", "prompt_completion", "preference", "sharegpt", "alpaca")),
        ExportFormat(
            "csv", "CSV", "A table of text, for spreadsheets and scripts.", ".csv", "text/csv; charset=utf-8", write_csv, steps=TABLE
        ),
        ExportFormat("excel", "Excel", "A workbook with a column for each field.", ".xlsx", SHEET, write_excel, steps=TABLE),
        ExportFormat("parquet", "Parquet", "A typed table, for data tools.", ".parquet", "application/vnd.apache.parquet", write_parquet),
    )
}


@dataclass(frozen=True)
class ExportFile:
    """An open file, which goes when it is closed unless it was given a place. ``pairs`` are in it, ``size`` bytes long it is."""

    file: IO[bytes]
    name: str
    media_type: str
    pairs: int
    size: int

    def blocks(self) -> Iterator[bytes]:
        """The content, a block at a time."""
        with self.file as file:
            while block := file.read(BLOCK):
                yield block


def export_written(write: Callable[[IO[bytes]], int], name: str, media_type: str, into: Path | None = None) -> ExportFile:
    """What ``write`` puts into a file ``into`` a place, or one without a name; it answers how many pairs that were."""
    # whoever sends it closes it
    file = open(into, "w+b") if into else tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115
    try:
        count = write(file)
    except BaseException:
        file.close()
        raise
    size = file.tell()
    file.seek(0)
    return ExportFile(file, name, media_type, count, size)


def watched(rows: Rows, steps: Sequence[str], tick: Tick) -> Rows:
    """``rows``, with ``tick`` told how many are done with, and which of ``steps`` this reading is: what is read twice is half done after
    the first time. Reading raises ``Stopped`` where it wants an end.
    """
    left, seen = iter(steps), 0

    def read() -> Iterator[tuple[PairRow, Told]]:
        nonlocal seen
        step = next(left, steps[-1])
        for row in rows():
            yield row
            seen += 1
            if seen % BATCH == 0:
                go_on(tick, seen // len(steps), step)

    return read


def pairs_export(
    *,
    project: Project,
    by: User,
    pairs: QuerySet[Pair],
    format: ExportFormat,
    described: str,
    into: Path | None = None,
    tick: Tick = unwatched,
) -> ExportFile:
    """``pairs`` as a file, at the place ``into`` or without a name. ``described`` says for the audit log which they were.

    Raises ``ExportError``; ``Stopped`` when ``tick`` wants an end.
    """
    if format.preferences:
        pairs = pairs.exclude(rejected=[])
    names = document_names(project)

    def rows() -> Iterable[tuple[PairRow, Told]]:
        found = pairs.select_related(None).only(*READ).prefetch_related("tags")
        return (
            (pair_row(pair), _told(pair, names.get(pair.document_id, "") if pair.document_id else "")) for pair in found.iterator(BATCH)
        )

    name = f"{project.slug}-pairs{'-' + format.key if format.extension == '.jsonl' else ''}{format.extension}"
    try:
        made = export_written(lambda file: format.write(file, watched(rows, format.steps, tick)), name, format.media_type, into)
    except ValueError as error:
        raise ExportError(str(error)) from error
    audit.record(project, by, "pairs.export", f"{made.pairs} pairs", after={"format": format.key, "pairs": made.pairs, "which": described})
    return made


def pair_row(pair: Pair) -> PairRow:
    """A pair as the row that all formats are written from."""
    return PairRow(
        messages=pair.messages,
        rejected=pair.rejected,
        fork=pair.fork,
        shape=pair.shape,
        topic=pair.topic,
        language=pair.language,
        difficulty=pair.difficulty,
        tags=[tag.name for tag in pair.tags.all()],
        sources=pair.sources,
        parent=str(pair.parent_id) if pair.parent_id else None,
        extra=pair.extra,
    )


def _told(pair: Pair, document: str) -> Told:
    """For people who read a table; an import leaves these columns out."""
    told = {"studio_id": str(pair.pk), "studio_status": pair.status, "studio_origin": pair.origin, "studio_made_by": pair.made_by}
    return {name: text for name, text in {**told, "studio_document": document}.items() if text}
