"""The rows of one sheet of an Excel workbook."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.exits import InputError
from engine.lib.pair_files.csv_table import column_names
from engine.lib.pair_files.line import Line, Record, Table, plain, shown, unreadable
from engine.lib.pair_formats.cells import CONTINUES
from engine.lib.pair_formats.file_types import EXCEL
from engine.lib.upload_checks import check_zip


def read(path: Path, sheet: str = "", header: bool = True) -> Table:
    """The first sheet, unless ``sheet`` names another. Raises ``InputError`` for a damaged file, a bomb, a sheet that is not there."""
    with open(path, "rb") as file:
        if problem := check_zip(path.name, EXCEL, file):
            raise InputError(problem.code, problem.message, where=path.name, mend=problem.mend)
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum

    try:
        book = CalamineWorkbook.from_path(path)
        names = [one.name for one in book.sheets_metadata if one.typ == SheetTypeEnum.WorkSheet]
        chosen = sheet or names[0]
        if chosen not in names:
            raise InputError("sheet", f"There is no sheet “{sheet}”.", where="sheet", mend=f"Choose one of {', '.join(names)}.")
        worksheet = book.get_sheet_by_name(chosen)
    except (CalamineError, IndexError, OSError) as error:
        raise unreadable(path.name, "an Excel workbook", error) from error
    place = [0]
    return Table(_lines(worksheet, header, place), worksheet.total_height, lambda: place[0], unit="rows", sheet=chosen, sheets=names)


def _lines(worksheet: Any, header: bool, place: list[int]) -> Iterator[Line]:
    names: list[str] = []
    for number, cells in enumerate(worksheet.iter_rows(), start=1):
        place[0] = number
        if all(cell == "" for cell in cells):
            continue
        if not names and header:
            names = column_names([str(cell) for cell in cells])
            continue
        names = names or [f"column {place}" for place, _ in enumerate(cells, start=1)]
        try:
            yield Line(number, _joined(names, [plain(cell) for cell in cells]))
        except ValueError as error:
            yield Line(number, error=str(error), text=shown(str(cells)))


def _joined(names: list[str], cells: list[Any]) -> Record:
    """A record of the cells; columns that go on with an earlier one are joined to it."""
    record: Record = {}
    for name, cell in zip(names, cells, strict=False):
        cell = int(cell) if isinstance(cell, float) and cell.is_integer() else cell
        found = CONTINUES.fullmatch(name)
        if found and found["name"] in names:
            record[found["name"]] = f"{record.get(found['name']) or ''}{cell if cell is not None else ''}" or None
        else:
            record[name] = None if cell == "" else cell
    return record
