"""Events from the file into the database: whole lines, once each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.events import EVENTS_FILE, EventWriter
from projects.models import Project, User
from runs.curves import curves
from runs.ingesting import TakenOver, ingest
from runs.models import MetricPoint, Run, RunEvent
from runs.services import run_claim

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(project: Project, owner: User) -> Run:
    """A claimed run whose attempt has a folder."""
    run = Run.objects.create(project=project, stage="sft", title="Train", queue="gpu", created_by=owner)
    run_claim(run.pk, "worker", "here")
    run.refresh_from_db()
    run.attempt_folder.mkdir(parents=True)
    return run


@pytest.fixture
def say(run: Run) -> EventWriter:
    return EventWriter(run.attempt_folder)


def file_of(run: Run) -> Path:
    return run.attempt_folder / EVENTS_FILE


def test_every_event_arrives_once_however_often_it_is_read(run: Run, say: EventWriter) -> None:
    for step in range(1, 6):
        say.write("metric", step=step, values={"train_loss": 1 / step})
    assert ingest(run) == 5
    assert ingest(run) == 0
    assert MetricPoint.objects.filter(run=run).count() == 5


def test_half_a_line_waits_for_its_other_half(run: Run, say: EventWriter) -> None:
    say.write("log", message="whole")
    with open(file_of(run), "ab") as file:
        file.write(b'{"v":1,"seq":2,"ts":1.0,"type":"log",')
    assert ingest(run) == 1
    with open(file_of(run), "ab") as file:
        file.write(b'"data":{"message":"later"}}\n')
    assert ingest(run) == 1
    assert [event.data["message"] for event in RunEvent.objects.filter(run=run, type="log")] == ["whole", "later"]


def test_a_torn_line_is_skipped_and_the_rest_is_kept(run: Run, say: EventWriter) -> None:
    with open(file_of(run), "ab") as file:
        file.write(b'{"v":1,"seq":1,"ts"\n')
    say.write("log", message="after")
    assert ingest(run) == 1


def test_what_is_no_number_is_no_point(run: Run, say: EventWriter) -> None:
    say.write("metric", step=1, values={"train_loss": float("nan"), "learning_rate": 0.1})
    ingest(run)
    assert list(MetricPoint.objects.filter(run=run).values_list("metric", flat=True)) == ["learning_rate"]


def test_who_was_taken_over_writes_nothing_more(run: Run, say: EventWriter) -> None:
    say.write("log", message="mine")
    Run.objects.filter(pk=run.pk).update(supervisor="another")
    with pytest.raises(TakenOver):
        ingest(run)
    assert not RunEvent.objects.filter(run=run, type="log").exists()


def test_the_run_shows_the_latest_phase_and_progress(run: Run, say: EventWriter) -> None:
    say.write("phase", name="train", title="Training")
    say.write("progress", done=3, total=10, unit="steps", rate=1.0, seconds_left=7.0)
    ingest(run)
    run.refresh_from_db()
    assert (run.phase, run.percent) == ("Training", 30)


def test_a_step_trained_twice_is_drawn_once_with_its_later_value(run: Run) -> None:
    for attempt, step, value in ((1, 1, 3.0), (1, 2, 2.0), (2, 2, 1.5), (2, 3, 1.0)):
        MetricPoint.objects.create(run=run, attempt=attempt, metric="train_loss", step=step, value=value)
    assert curves(run)["train_loss"] == [(1, 3.0), (2, 1.5), (3, 1.0)]


def test_a_batch_of_events_takes_few_queries(run: Run, say: EventWriter, django_assert_max_num_queries: Callable[..., object]) -> None:
    for step in range(400):
        say.write("metric", step=step, values={"a": 1.0, "b": 2.0})
    with django_assert_max_num_queries(15):  # type: ignore[attr-defined]
        ingest(run)
