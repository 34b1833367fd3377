"""Which files of pairs can be read, told from name, size and first bytes. Light: the upload asks before anything is opened."""

from typing import BinaryIO, Literal

from engine.lib.filetypes import BOMS, OLE, ZIP, FileType, extension_of, really_is
from engine.lib.upload_checks import Problem, check_name, check_zip, damaged, encrypted

Kind = Literal["lines", "array", "csv", "excel", "parquet"]
KINDS: dict[str, Kind] = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "array",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "excel",
    ".parquet": "parquet",
}
TITLES: dict[Kind, str] = {"lines": "JSON lines", "array": "JSON", "csv": "table of text", "excel": "Excel", "parquet": "Parquet"}
ENCODINGS = {
    "": "Find out",
    "utf-8": "UTF-8",
    "cp1252": "Western European (Windows-1252, Latin-1)",
    "utf-16": "UTF-16",
    "cp1250": "Central European (Windows-1250)",
    "cp1251": "Cyrillic (Windows-1251)",
    "cp1253": "Greek (Windows-1253)",
    "cp1254": "Turkish (Windows-1254)",
    "cp1255": "Hebrew (Windows-1255)",
    "cp1256": "Arabic (Windows-1256)",
    "shift_jis": "Japanese (Shift JIS)",
    "gb18030": "Chinese (GB 18030)",
    "euc_kr": "Korean (EUC-KR)",
}
DELIMITERS = {"": "Find out", ",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar"}
PARQUET = b"PAR1"
EXCEL = FileType(".xlsx", "", "zip", "Excel workbook", "xl/")


def kind_of(name: str) -> Kind | None:
    """How a file of this name is read; None for one that is not."""
    return KINDS.get(extension_of(name))


def check_table(name: str, size: int, head: bytes, file: BinaryIO, *, max_bytes: int) -> Problem | None:
    """Why the file cannot be one of pairs; None when nothing speaks against it. ``head`` are its first bytes, sizes are in bytes.

    Of Excel files the directory is looked at in ``file``, which stays open; nothing is unpacked.
    """
    if problem := check_name(name):
        return problem
    kind = kind_of(name)
    if kind is None:
        return Problem(
            "unsupported_type",
            f"“{name}” is of a type that holds no pairs.",
            "Save it as JSONL, JSON, CSV, TSV, Excel (.xlsx) or Parquet.",
        )
    if size == 0:
        return Problem("empty_file", f"“{name}” is empty: it has no bytes at all.", "Upload the file again from its source.")
    if size > max_bytes:
        words = f"“{name}” has {size / 2**20:.0f} MB; the limit is {max_bytes / 2**20:.0f} MB."
        return Problem("too_large", words, "Split it into smaller files.")
    if kind == "excel":
        if head.startswith(OLE):
            return encrypted(name)
        if not head.startswith(ZIP):
            return damaged(name, EXCEL)
        return check_zip(name, EXCEL, file)
    if kind == "parquet":
        return None if head.startswith(PARQUET) else _other(name, "Parquet", really_is(head) or "text")
    found = really_is(head)
    return _other(name, TITLES[kind], found) if found and not head.startswith(BOMS) and not _is_utf16(head) else None


def _is_utf16(head: bytes) -> bool:
    """Text in UTF-16 without a mark at its start: every other byte is zero, or nearly."""
    return max(head[::2].count(0), head[1::2].count(0)) > len(head) // 5 and _only_zeros(head)


def _only_zeros(head: bytes) -> bool:
    """Whether what makes ``head`` look like no text are its zeros alone."""
    return really_is(head) == "binary data" and min(head[::2].count(0), head[1::2].count(0)) == 0


def _other(name: str, wanted: str, found: str) -> Problem:
    return Problem(
        "wrong_extension",
        f"“{name}” ends like {wanted}, but its content is {found}.",
        "Give the file its right extension, or export it again.",
    )
