"""What the pages of imports show."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from curation.import_settings import ImportSettings
from curation.models import Pair, PairImport
from curation.peeking import Peek, peek
from engine.lib.pair_formats import FORMATS, columns
from projects.models import Project
from runs.artifacts import artifact_path
from runs.models import Run, Status

STAGE = "import_pairs"
ERRORS_SHOWN = 100


@dataclass(frozen=True)
class BadRow:
    """A row that was left out, and why."""

    line: int
    message: str
    column: str = ""
    text: str = ""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "BadRow":
        return cls(int(data["line"]), str(data["message"]), str(data.get("column", "")), str(data.get("text", "")))


@dataclass(frozen=True)
class ReadReport:
    """What a run told of a file. ``values`` are how often each tag, topic, language … is there, ``mistakes`` among them."""

    format: str
    read: int
    good: int
    bad: int
    listed: int
    seconds: float
    encoding: str
    conversations: int
    preferences: int
    with_sources: int
    values: dict[str, dict[str, int]]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ReadReport":
        numbers = {
            name: int(data.get(name, 0)) for name in ("read", "good", "bad", "listed", "conversations", "preferences", "with_sources")
        }
        words = {"format": str(data.get("format", "")), "encoding": str(data.get("encoding", ""))}
        return cls(**numbers, **words, seconds=float(data.get("seconds", 0)), values=data.get("values", {}))

    @property
    def format_title(self) -> str:
        return FORMATS[self.format].title if self.format in FORMATS else self.format


def imports_of(project: Project) -> QuerySet[PairImport]:
    """Newest first, with their runs."""
    return PairImport.objects.filter(project=project).select_related("project", "artifact", "run", "dry_run", "created_by")


def state_of(pair_import: PairImport) -> dict[str, str]:
    """The status (of `components/status.html`) and words for a list."""
    run = pair_import.run
    if run is None:
        tried = pair_import.dry_run
        return {"status": "DRAFT", "label": "Tried" if tried and tried.status == Status.SUCCEEDED else "Not imported yet"}
    if run.status != Status.SUCCEEDED:
        return {"status": str(run.status), "label": run.get_status_display()}
    good, bad = int(run.summary.get("good", 0)), int(run.summary.get("bad", 0))
    words = f"{good:,} {'pair' if good == 1 else 'pairs'}" + (f", {bad:,} left out" if bad else "")
    return {"status": "SUCCEEDED" if good else "WARNING", "label": words}


def peek_of(pair_import: PairImport, settings: ImportSettings) -> Peek:
    return peek(table_file(pair_import), settings.reading)


def table_file(pair_import: PairImport) -> Path:
    folder = artifact_path(pair_import.artifact)
    return next((path for path in folder.glob("table.*")), folder / "table")


def read_as(peeked: Peek, settings: ImportSettings) -> tuple[str, dict[str, str]]:
    """The format that counts, as chosen or as found out, and the whole mapping of columns where it is that of a table."""
    key = settings.format if settings.format in FORMATS else peeked.format or columns.KEY
    return key, {row["column"]: row["field"] for row in peeked.fields(settings.mapping)} if key == columns.KEY else {}


def report_of(run: Run | None) -> ReadReport | None:
    """What a finished run told; None before, and where its report was deleted."""
    if run is None or not (artifact := run.output("report")):
        return None
    try:
        return ReadReport.from_dict(json.loads((artifact_path(artifact) / "report.json").read_text("utf-8")))
    except (OSError, ValueError):
        return None


def bad_rows(run: Run, limit: int | None = ERRORS_SHOWN) -> Iterator[BadRow]:
    """The rows that ``run`` left out, in the order of the file."""
    artifact = run.output("report")
    if artifact is None:
        return
    try:
        with open(artifact_path(artifact) / "errors.jsonl", encoding="utf-8") as file:
            yield from (BadRow.from_dict(json.loads(line)) for line in islice(file, limit))
    except OSError:
        return


def taken_in(run: Run) -> int:
    """How many pairs of the run are in the table by now."""
    return Pair.objects.filter(artifact__produced_by=run).count()


def begun_again_at(run: Run) -> dict[str, str] | None:
    """Where an import, or the trial of one, is begun again: on its file's page, with the settings it has there. None for other runs."""
    if run.stage != STAGE or run.project is None:
        return None
    of_file = PairImport.objects.filter(project=run.project, artifact__used_by__run=run, artifact__used_by__role="file")
    if (pair_import := of_file.select_related("project").first()) is None:  # the file was removed
        return {"url": reverse("curation:imports", args=[run.project.slug]), "label": "Import a file"}
    label = "Try again" if run.params.get("dry_run") else "Import again"
    return {"url": f"{pair_import.get_absolute_url()}?again=1", "label": label}


def same_file(pair_import: PairImport) -> PairImport | None:
    """An earlier upload of the same bytes that was imported."""
    twins = imports_of(pair_import.project).filter(artifact__sha256=pair_import.artifact.sha256, run__status=Status.SUCCEEDED)
    return twins.exclude(pk=pair_import.pk).first()


def is_imported(run: Run) -> bool:
    """Whether the run brought pairs into the table."""
    return run.status == Status.SUCCEEDED and bool(run.summary.get("good"))


def report_stats(report: ReadReport) -> list[dict[str, Any]]:
    """The numbers above a report."""
    found: list[dict[str, Any]] = [
        {"label": "Rows read", "value": report.read, "note": f"in {report.seconds:.0f} s" if report.seconds >= 1 else ""},
        {"label": "Good", "value": report.good, "tone": "good" if report.good else ""},
        {"label": "Left out", "value": report.bad, "tone": "warning" if report.bad else ""},
    ]
    for label, value in (
        ("With several turns", report.conversations),
        ("With a rejected answer", report.preferences),
        ("With sources", report.with_sources),
    ):
        if value:
            found.append({"label": label, "value": value})
    for label, name in (("Tags", "tags"), ("Topics", "topic"), ("Languages", "language")):
        if names := report.values.get(name):
            found.append({"label": label, "value": len(names), "note": ", ".join(list(names)[:4])})
    return found
