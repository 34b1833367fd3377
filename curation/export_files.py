"""Writing pairs into files: JSON lines in any format, CSV, Excel, Parquet. Each streams; only the columns of tables need a look ahead."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from engine.lib.pair_formats import FORMATS, PairRow, columns
from engine.lib.pair_formats.cells import CONTINUES, FORMULA, guarded, pieces
from engine.lib.pair_formats.fields import EXTRA

Told = dict[str, str]  # what the studio knows of a pair beyond its row, for people to read
Rows = Callable[[], Iterable[tuple[PairRow, Told]]]  # each call reads them from the beginning
OWN_COLUMNS = 200  # columns of ``extra`` that become columns here; the rest stays together in one
EXCEL_ROWS = 1_048_575  # that a sheet holds below its heads
PARQUET_ROWS = 2_000  # in memory at once


@dataclass(frozen=True)
class Columns:
    """The columns of a table, in their order, and how many cells each takes where a cell has an end."""

    names: list[str]
    cells: dict[str, int]

    @classmethod
    def of(cls, records: Iterable[dict[str, str]]) -> "Columns":
        known = {*columns.ORDER, EXTRA}
        times: Counter[str] = Counter()
        cells: dict[str, int] = {}
        for record in records:
            for name, text in record.items():
                times[name] += 1
                if len(text) > 4_000:  # shorter ones fit, however they are escaped
                    cells[name] = max(cells.get(name, 1), sum(1 for _ in pieces(text)))
        extra = [name for name, _ in times.most_common() if name not in known and not name.startswith("studio_")]
        own, rest = extra[:OWN_COLUMNS], extra[OWN_COLUMNS:]
        told = [name for name in times if name.startswith("studio_")]
        more = [EXTRA] if times[EXTRA] or rest else []
        return cls([name for name in columns.ORDER if times[name]] + sorted(own) + more + told, cells)

    def row(self, record: dict[str, str]) -> list[str]:
        """The cells of ``record``; what has no column of its own goes into the one for the rest."""
        beyond = {name: text for name, text in record.items() if name not in self.names}
        if beyond:
            record = {**record, EXTRA: json.dumps({**json.loads(record.get(EXTRA, "{}")), **beyond}, ensure_ascii=False)}
        return [record.get(name, "") for name in self.names]


def _records(rows: Rows) -> Iterator[dict[str, str]]:
    for row, told in rows():
        yield {**columns.write(row), **told}


def write_json_lines(file: IO[bytes], rows: Rows, format: str) -> int:
    """How many were written."""
    write, count = FORMATS[format].write, 0
    for row, _ in rows():
        file.write(json.dumps(write(row), ensure_ascii=False).encode() + b"\n")
        count += 1
    return count


def write_csv(file: IO[bytes], rows: Rows) -> int:
    """With a mark at its start, by which spreadsheets know UTF-8."""
    table, count = Columns.of(_records(rows)), 0
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(guarded(name) for name in table.names)
    for record in _records(rows):
        writer.writerow(guarded(cell) for cell in table.row(record))
        count += 1
    text.detach()
    return count


def write_excel(file: IO[bytes], rows: Rows) -> int:
    """A text too long for a cell goes on in columns of its own. Raises ``ValueError`` for more rows than a sheet holds."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ERROR_CODES

    table = Columns.of(_records(rows))
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Pairs")

    def cell(text: str) -> Any:
        if not text.startswith(FORMULA) and text not in ERROR_CODES:
            return text or None
        made = WriteOnlyCell(sheet, text)
        made.data_type = "s"  # a text, whatever it looks like
        made.quotePrefix = True  # also after somebody has edited it
        return made

    heads = []
    for name in table.names:
        heads += [name, *(f"{name} … {number}" for number in range(2, table.cells.get(name, 1) + 1))]
    assert all(CONTINUES.fullmatch(head) or head in table.names for head in heads)
    sheet.append([cell(next(pieces(head))) for head in heads])
    count = 0
    for record in _records(rows):
        count += 1
        if count > EXCEL_ROWS:
            raise ValueError(f"A sheet of Excel holds {EXCEL_ROWS:,} rows.")
        cells: list[Any] = []
        for name, text in zip(table.names, table.row(record), strict=True):
            parts = [cell(part) for part in pieces(text)]
            cells += parts + [None] * (table.cells.get(name, 1) - len(parts))
        sheet.append(cells)
    book.save(file)
    return count


def write_parquet(file: IO[bytes], rows: Rows) -> int:
    """Messages as lists of records, as trainers read them; what is in ``extra`` as JSON in one column."""
    import pyarrow
    import pyarrow.parquet

    text, turns = pyarrow.string(), pyarrow.list_(pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())]))
    source = [("document", text), ("version", text), ("page", pyarrow.int64()), ("start", pyarrow.int64()), ("end", pyarrow.int64())]
    fields: list[tuple[str, Any]] = [
        ("messages", turns), ("rejected_messages", turns), ("fork", pyarrow.int64()), ("shape", text), ("topic", text), ("language", text),
        ("difficulty", text), ("tags", pyarrow.list_(text)), ("sources", pyarrow.list_(pyarrow.struct([*source, ("evidence", text)]))),
        ("parent", text), (EXTRA, text),
    ]  # fmt: skip
    schema = pyarrow.schema(fields)
    count = 0
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        batch: list[dict[str, Any]] = []

        def flush() -> None:
            writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
            batch.clear()

        for row, _ in rows():
            batch.append(_parquet_record(row))
            count += 1
            if len(batch) == PARQUET_ROWS:
                flush()
        if batch:
            flush()
    return count


def _parquet_record(row: PairRow) -> dict[str, Any]:
    return {
        "messages": row.messages,
        "rejected_messages": row.rejected or None,
        "fork": row.fork,
        **{name: getattr(row, name) or None for name in ("topic", "language", "difficulty", "tags", "sources", "parent")},
        "shape": row.shape if row.shape != "free" else None,
        EXTRA: json.dumps(row.extra, ensure_ascii=False) if row.extra else None,
    }
