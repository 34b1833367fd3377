"""Reading files of pairs (JSON lines, JSON, CSV, Excel, Parquet) line by line: the largest needs no more memory than the smallest."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from engine.exits import InputError
from engine.lib.pair_files import csv_table, excel, json_array, json_lines, parquet
from engine.lib.pair_files.line import Line, Record, Table
from engine.lib.pair_formats.file_types import kind_of
from engine.lib.pair_rows import PairRow, RowError

__all__ = ["Line", "Options", "Record", "Table", "memory_limit", "open_table", "stored"]

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON writes it, not a text that only looks like it
MEMORY = 4 * 2**30  # bytes of address space that reading may take; a file that wants more is a bomb, or broken


@dataclass(frozen=True)
class Options:
    """How a file is to be read; what is empty is found out."""

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header: bool = True


def open_table(path: Path, options: Options = Options()) -> Table:
    """The file at ``path``, read as its extension says. Raises ``InputError`` for one that cannot be opened as that at all."""
    kind = kind_of(path.name)
    if kind == "lines":
        return json_lines.read(path, options.encoding)
    if kind == "array":
        return json_array.read(path, options.encoding)
    if kind == "csv":
        return csv_table.read(path, options.encoding, options.delimiter, options.header)
    if kind == "excel":
        return excel.read(path, options.sheet, options.header)
    if kind == "parquet":
        return parquet.read(path)
    raise InputError("type", f"“{path.name}” is of a type that holds no pairs.", where=path.name, mend="Save it as JSONL or CSV.")


def memory_limit(extra: int = MEMORY) -> None:
    """Let this process take ``extra`` bytes of address space more than it has, and no more: then reading fails, not the machine."""
    import resource

    import psutil

    limit = psutil.Process().memory_info().vms + extra
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def stored(row: PairRow) -> bytes:
    """The row as a line of `pairs.jsonl`. Raises ``RowError`` for what neither a file nor a database can keep."""
    try:
        line = json.dumps(row.to_dict(), ensure_ascii=False, allow_nan=False)
        if _NUL.search(line):
            raise RowError("it holds the character NUL, which no database keeps")
        return line.encode() + b"\n"
    except UnicodeEncodeError:
        raise RowError("it holds half a character (a surrogate without its other half)") from None
    except (ValueError, TypeError, RecursionError) as error:
        if isinstance(error, RowError):
            raise
        raise RowError(f"it holds what JSON cannot: {error}") from None
