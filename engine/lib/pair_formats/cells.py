"""Texts as cells of a spreadsheet: harmless there, and read back as they were."""

import re
from collections.abc import Iterator

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
PIECE = 4_000  # characters of a long text in one cell of Excel, which holds 32,767: even if each has to be written as an escape, they fit
CONTINUES = re.compile(r"(?P<name>.+) … (?P<number>\d+)")  # the column that goes on with the text of column ``name``
_ESCAPED = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def guarded(text: str) -> str:
    """``text`` as a cell of CSV that no spreadsheet takes for a formula: with an apostrophe before it. ``unguarded`` takes it off again."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA) else text


def escaped(text: str) -> str:
    """``text`` as a workbook's XML holds it: characters that XML cannot have, and line ends it would change, as ``_x000D_``."""
    return _ESCAPED.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def pieces(text: str, limit: int = 32_000) -> Iterator[str]:
    """``text`` escaped, in pieces that fit into a cell each."""
    whole = escaped(text)
    if len(whole) <= limit:
        yield whole
    else:
        yield from (escaped(text[place : place + PIECE]) for place in range(0, len(text), PIECE))
