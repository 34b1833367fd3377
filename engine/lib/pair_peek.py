"""python -m engine.lib.pair_peek FILE OPTIONS: the first rows of a file of pairs as JSON, read in a process that may die.

A page that shows a file nobody has checked asks this, so that a bomb or a broken workbook ends here and not in the web server.
OPTIONS is JSON: ``{"encoding"?, "delimiter"?, "sheet"?, "header"?, "rows"?}``. Out comes ``{"format", "encoding", "delimiter", "sheet",
"sheets", "columns", "mapping", "lines": [{"number", "record" | "error", "text"}]}``, or ``{"problem": {"message", "mend"}}``.
"""

import json
import sys
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from engine.exits import InputError
from engine.lib.pair_files import Options, memory_limit, open_table
from engine.lib.pair_formats import columns, detect

ROWS = 20
MEMORY = 2 * 2**30  # bytes


def peek(path: Path, options: Options, rows: int = ROWS) -> dict[str, Any]:
    """Raises ``InputError`` for a file that cannot be opened."""
    table = open_table(path, options)
    lines = list(islice(table.lines, rows))
    records = [line.record for line in lines if line.record is not None]
    names = list(dict.fromkeys(name for record in records for name in record))
    return {
        "format": detect(records) if records else "",
        "encoding": table.encoding,
        "delimiter": table.delimiter,
        "sheet": table.sheet,
        "sheets": table.sheets,
        "columns": names,
        "mapping": columns.guess(names),
        "lines": [asdict(line) for line in lines],
    }


def main(path: str, text: str) -> int:
    memory_limit(MEMORY)
    given = json.loads(text)
    rows = int(given.pop("rows", ROWS))
    try:
        answer = peek(Path(path), Options(**given), rows)
    except InputError as error:
        answer = {"problem": {"message": error.message, "mend": error.mend}}
    except MemoryError:
        answer = {"problem": {"message": "This file takes more memory to open than any file of pairs should.", "mend": "Save it as CSV."}}
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
