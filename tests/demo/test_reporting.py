"""The demo's figures cover all its starts, and an older report can still be told."""

import io
import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from dslm_studio.demo import reporting
from dslm_studio.demo.display import Display
from dslm_studio.demo.progress import Progress
from dslm_studio.demo.steps import DemoError
from dslm_studio.management.commands.studio_demo import Command
from projects.models import Project
from runs.models import Run, RunEvent, Status
from tests.materials import ROOT

SIDE = {"loss": 2.5, "token_f1": 0.25, "general_loss": 2.3}
GAIN = {"loss": [0.5, 0.7], "token_f1": [0.1, 0.2]}
MADE: dict[str, Any] = {
    "evaluation": {"base": SIDE, "tuned": SIDE, "gain": GAIN, "pairs": 68},
    "retrieval": {"queries": 134, "recall_at_5": 0.68, "keyword_only_recall_at_5": 0.6},
    "chat": {"off_topic_cited": 0, "off_topic_questions": 10, "cited_right": 0.8, "citations_given": 49},
}


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.STUDIO_HOME = tmp_path
    (tmp_path / "demo").mkdir()
    return tmp_path / "demo"


def demo() -> str:
    out = io.StringIO()
    call_command("studio_demo", stdout=out)
    return out.getvalue()


def test_a_report_from_before_memory_was_measured_is_told_without_it(folder: Path) -> None:
    (folder / "report.json").write_text(json.dumps({**MADE, "seconds": {"total": 468.0}}))
    said = demo()
    assert "Took 7.8 minutes." in said
    assert "Found as it was left" in said


def test_the_report_covers_an_interrupted_start_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Command, seconds: dict[str, float]) -> dict[str, Any]:
        display = Display(seconds, io.StringIO())
        with display.step("plan", "Plan"):
            time.sleep(0.2)
        with display.step("documents", "Read the documents") as step:
            time.sleep(0.3)
            step.say("half way")
            raise DemoError("The embedder is away.")

    def finished(self: Command, seconds: dict[str, float]) -> dict[str, Any]:
        display = Display(seconds, io.StringIO())
        for key in ("plan", "documents", "sft"):
            with display.step(key, key) as step:
                step.seconds = 12.0 if key == "sft" else None
        return dict(MADE)

    monkeypatch.setattr(Command, "_build", interrupted)
    with pytest.raises(CommandError, match="embedder"):
        demo()
    kept = json.loads((folder / "progress.json").read_text())
    (folder / "progress.json").write_text(json.dumps({**kept, "memory": {"peak_resident_bytes": 3_000_000_000}}))
    monkeypatch.setattr(Command, "_build", finished)
    assert "at most 3.0 GB" in demo()
    report = json.loads((folder / "report.json").read_text())
    seconds = report["seconds"]
    assert seconds["plan"] >= 0.2
    assert seconds["documents"] >= 0.3
    assert seconds["sft"] == 12.0
    assert seconds["total"] >= 0.5
    assert report["memory"] == {"peak_resident_bytes": 3_000_000_000}
    assert [path.name for path in folder.iterdir()] == ["report.json"]


WORK = """
import io, sys, time
from pathlib import Path
from dslm_studio.demo.display import Display
from dslm_studio.demo.progress import Progress
with Progress(Path(sys.argv[1]), Path(sys.argv[1]).parent) as progress:
    with Display(progress.seconds, io.StringIO()).step("documents", "Read the documents") as step:
        while True:
            step.say("reading")
            time.sleep(0.05)
"""


def test_a_start_that_was_killed_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    process = subprocess.Popen([sys.executable, "-c", WORK, str(file)], cwd=ROOT)
    deadline = time.monotonic() + 30
    while not file.exists() or json.loads(file.read_text())["seconds"].get("documents", 0) < 0.5:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    with Progress(file, tmp_path) as progress:
        assert progress.seconds["documents"] >= 0.5
        assert progress.measured()["seconds"]["total"] >= 0.5


def test_a_broken_progress_file_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text('{"seconds": {"pl')
    with Progress(tmp_path / "progress.json", tmp_path) as progress:
        assert progress.seconds == {}


@pytest.mark.django_db
def test_a_run_counts_with_its_earlier_attempts_and_those_whose_place_it_took(project: Project) -> None:
    now = timezone.now()
    first = Run.objects.create(project=project, stage="sft", title="Train", queue="gpu", status=Status.STOPPED)
    run = Run.objects.create(
        project=project,
        stage="sft",
        title="Train",
        queue="gpu",
        attempt=2,
        status=Status.SUCCEEDED,
        rerun_of=first,
        started_at=now - timedelta(seconds=10),
        ended_at=now,
    )
    said = [(first, 1, 0, "started"), (first, 1, 30, "progress"), (first, 1, 9999, "status")]  # found dead hours later
    said += [(run, 1, 100, "started"), (run, 1, 105, "checkpoint"), (run, 2, 200, "started"), (run, 2, 209, "finished")]
    for seq, (of, attempt, ts, kind) in enumerate(said, start=1):
        RunEvent.objects.create(run=of, seq=seq, attempt=attempt, ts=ts, type=kind)
    assert reporting.seconds_of(run) == pytest.approx(30 + 5 + 10)
