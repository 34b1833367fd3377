"""The rows of a Parquet file, a few at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.lib.pair_files.line import Line, Table, plain, shown, unreadable

ROWS = 256  # in memory at once


def read(path: Path) -> Table:
    """Raises ``InputError`` for a file that is none."""
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        total = file.metadata.num_rows
    except Exception as error:  # pyarrow raises its own kinds, and OSError
        raise unreadable(path.name, "Parquet", error) from error
    place = [0]
    return Table(_lines(file, place), total, lambda: place[0], unit="rows")


def _lines(file: Any, place: list[int]) -> Iterator[Line]:
    batches = file.iter_batches(batch_size=ROWS)
    while True:
        try:
            batch = next(batches, None)
            rows = batch.to_pylist() if batch is not None else []
        except MemoryError:
            raise
        except Exception as error:  # a part of the file is damaged: what came before it counts
            yield Line(place[0] + 1, error=f"the file cannot be read on from here: {shown(str(error))}")
            return
        if batch is None:
            return
        for row in rows:
            place[0] += 1
            try:
                yield Line(place[0], plain(row))
            except ValueError as error:
                yield Line(place[0], error=str(error))
