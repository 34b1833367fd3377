"""Pairs from a file in any known format: good rows are kept, bad ones reported with their line."""

import time
from typing import Any, Literal

from pydantic import Field

from engine.context import Context
from engine.exits import InputError, Stopped
from engine.lib.pair_formats import FORMATS
from engine.lib.pair_rows import PAIRS_FILE
from engine.registry import StageParams, stage

FormatKey = Literal["auto", "messages", "alpaca", "sharegpt", "prompt_completion", "preference", "columns"]
LABELS: dict[str, Any] = {"auto": "Find out", **{key: one.title for key, one in FORMATS.items()}}


class Params(StageParams):
    format: FormatKey = Field("auto", title="Format", description="How the rows are laid out.", json_schema_extra={"labels": LABELS})
    mapping: dict[str, str] = Field(
        {}, title="Columns", description="Which column fills which field of a pair.", json_schema_extra={"internal": True}
    )
    encoding: str = Field("", max_length=20, title="Encoding", description="Empty: it is found out.", json_schema_extra={"advanced": True})
    delimiter: str = Field("", max_length=1, title="Delimiter", description="Empty: it is found out.", json_schema_extra={"advanced": True})
    sheet: str = Field("", max_length=100, title="Sheet", description="Empty: the first one.", json_schema_extra={"advanced": True})
    header: bool = Field(
        True,
        title="The first row names the columns",
        description="Without one they are called column 1, column 2 …",
        json_schema_extra={"advanced": True},
    )
    dry_run: bool = Field(False, title="Only try", description="Reads the whole file and says what it would make.")
    name: str = Field(
        "",
        max_length=200,
        title="Name of the file",
        description="As it was uploaded; said of each pair.",
        json_schema_extra={"internal": True},
    )


@stage(
    key="import_pairs",
    title="Import pairs",
    group="data",
    queue="default",
    consumes={"file": "table-file"},
    produces={"pairs": "pairs?", "report": "import-report"},
)
def run(ctx: Context, params: Params) -> None:
    """Read every line of a file as a pair. One that cannot be read is reported with its number and left out; the others are kept."""
    from engine.lib.import_report import ImportReport
    from engine.lib.pair_files import Options, memory_limit, open_table, stored
    from engine.lib.pair_formats import FieldError, RowError, reader

    began = time.monotonic()
    memory_limit()
    path = next((one for one in ctx.inputs["file"].iterdir() if one.name != "artifact.json"), None)
    if path is None:
        raise InputError("file", "There is no file to read.", where="file", mend="Upload it again.")
    options = Options(params.encoding, params.delimiter, params.sheet, params.header)
    with ctx.phase("look", "Looking at the file"):
        format_key = params.format if params.format != "auto" else found_format(open_table(path, options))
        read = reader(format_key, params.mapping)
        table = open_table(path, options)
    made, told = ctx.work / "pairs", ctx.work / "report"
    made.mkdir(exist_ok=True)
    told.mkdir(exist_ok=True)
    with ctx.phase("read", "Reading pairs"), open(made / PAIRS_FILE, "wb") as pairs, ImportReport(told) as report:
        for line in table.lines:
            if ctx.stop_requested:
                raise Stopped
            tell(ctx, table, table.position())
            if line.record is None:
                report.bad(line.number, line.error, line.column, line.text)
                continue
            try:
                row = read(line.record)
                row.line = line.number
                written = stored(row)
            except RowError as error:
                report.bad(line.number, str(error), error.column if isinstance(error, FieldError) else "", line.record)
                continue
            report.good(row)
            if not params.dry_run:
                pairs.write(written)
        tell(ctx, table, table.total)
        facts: dict[str, Any] = {
            "format": format_key, "encoding": table.encoding, "delimiter": table.delimiter, "sheet": table.sheet, "dry_run": params.dry_run,
        }  # fmt: skip
        summary = report.finish(facts, time.monotonic() - began)
    if summary["bad"]:
        ctx.warn(
            "rows_left_out",
            f"{summary['bad']:,} of {summary['read']:,} rows cannot be read and are left out.",
            where=params.name,
            mend="The report names each with its line and what is wrong with it.",
        )
    ctx.save("report", told, kind="import-report", facts=summary)
    if summary["good"] and not params.dry_run:
        origin = {"origin": "imported", "made_by": params.name or path.name, "pairs": summary["good"]}
        ctx.save("pairs", made, kind="pairs", facts=origin)
    ctx.finish(**{name: summary[name] for name in ("format", "read", "good", "bad")})


def tell(ctx: Context, table: Any, position: int) -> None:
    """How far the file has been read: in megabytes or rows."""
    scale, unit = (1e6, "MB") if table.unit == "bytes" else (1, "rows")
    ctx.progress(round(min(position, table.total) / scale, 2), round(table.total / scale, 2), unit)


def found_format(table: Any) -> str:
    """The format that the file's first records look like. Raises ``InputError`` where there are none."""
    from itertools import islice

    from engine.lib.pair_formats import detect

    lines = list(islice(table.lines, 200))
    records = [line.record for line in lines if line.record is not None]
    if not records:
        said = f" Line {lines[0].number}: {lines[0].error}." if lines else ""
        mend = "Look at the file in an editor, or choose another encoding or delimiter."
        raise InputError("no_rows", f"No row of this file can be read.{said}", where="file", mend=mend)
    return detect(records)
