"""The formats that pairs come and go in: a file each, light and pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.lib.pair_formats import alpaca, columns, messages, preference, prompt_completion, sharegpt
from engine.lib.pair_formats.fields import FieldError, Record
from engine.lib.pair_rows import PairRow, RowError

__all__ = ["FORMATS", "FieldError", "Format", "PairRow", "Record", "RowError", "detect", "reader"]


@dataclass(frozen=True)
class Format:
    """``read`` makes a row of a record, ``write`` a record of a row (both raise ``RowError``); ``looks_like`` is from 0 to 1."""

    key: str
    title: str
    about: str
    read: Callable[[Record], PairRow]
    write: Callable[[PairRow], Record]
    looks_like: Callable[[list[Record]], float]


# the most particular first: where two are equally sure, the first one counts
FORMATS: dict[str, Format] = {
    module.KEY: Format(module.KEY, module.TITLE, module.ABOUT, module.read, module.write, module.looks_like)
    for module in (preference, messages, sharegpt, prompt_completion, alpaca, columns)
}


def detect(records: list[Record]) -> str:
    """The key of the format that ``records`` look most like."""
    return max(FORMATS.values(), key=lambda one: one.looks_like(records)).key


def reader(key: str, mapping: Mapping[str, str]) -> Callable[[Record], PairRow]:
    """What reads records of the format; ``mapping`` (column → field) is for ``columns`` alone."""
    return columns.Reader(mapping) if key == columns.KEY else FORMATS[key].read
