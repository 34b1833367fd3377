"""Long runs: what their curves are drawn from, and how little is read for them."""

import random
from collections.abc import Callable
from importlib import import_module

import pytest
from django.apps import apps

from projects.models import Project, User
from runs.curves import CURVE_POINTS, EXACT_STEPS, curves, curves_of, reader
from runs.metrics_file import metrics_csv, metrics_of
from runs.models import MetricPoint, MetricRollup, Run
from runs.rollups import SPAN, points_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(project: Project, owner: User) -> Run:
    return Run.objects.create(project=project, stage="sft", title="Train", queue="gpu", created_by=owner)


def store(run: Run, values: dict[int, float], *, metric: str = "train_loss", attempt: int = 1, at_once: int = 1000) -> None:
    points = [MetricPoint(run=run, attempt=attempt, metric=metric, step=step, value=value) for step, value in values.items()]
    for begin in range(0, len(points), at_once):
        points_store(points[begin : begin + at_once])


def facts(run: Run) -> list[tuple[object, ...]]:
    fields = ("metric", "span", "first_step", "first", "last_step", "last", "low_step", "low", "high_step", "high")
    return list(MetricRollup.objects.filter(run=run).order_by("metric", "span").values_list(*fields))


def test_a_span_keeps_its_first_last_lowest_and_highest_value(run: Run) -> None:
    store(run, {1: 5.0, 2: 1.0, 3: 9.0, 4: 4.0, SPAN + 1: 2.0})
    assert facts(run) == [
        ("train_loss", 0, 1, 5.0, 4, 4.0, 2, 1.0, 3, 9.0),
        ("train_loss", 1, SPAN + 1, 2.0, SPAN + 1, 2.0, SPAN + 1, 2.0, SPAN + 1, 2.0),
    ]


def test_rollups_are_the_same_however_the_points_came(run: Run, project: Project) -> None:
    values = {step: random.Random(step).random() for step in range(5 * SPAN)}
    store(run, values)
    other = Run.objects.create(project=project, stage="sft", title="Again", queue="gpu")
    for at_once in (1, 37, 1000):  # one by one, in small batches, and all a second and a third time
        store(other, values, at_once=at_once)
    assert facts(run) == facts(other)
    assert MetricPoint.objects.filter(run=other).count() == len(values)


def test_a_long_curve_is_short_and_keeps_its_ends_and_its_peak(run: Run) -> None:
    values = {step: 1.0 + (step % 7) / 100 for step in range(2 * EXACT_STEPS)}
    values[EXACT_STEPS + 13] = 50.0
    store(run, values)
    drawn = curves(run)["train_loss"]
    assert len(drawn) <= CURVE_POINTS
    assert (EXACT_STEPS + 13, 50.0) in drawn
    assert (drawn[0], drawn[-1]) == ((0, values[0]), (max(values), values[max(values)]))
    assert all(values[int(step)] == value for step, value in drawn), "nothing is drawn that was not measured"


def test_a_long_run_is_read_from_its_rollups_alone(run: Run, django_assert_num_queries: Callable[..., object]) -> None:
    store(run, dict.fromkeys(range(EXACT_STEPS + 1), 1.0))
    MetricPoint.objects.filter(run=run).delete()
    with django_assert_num_queries(2):  # type: ignore[attr-defined]
        assert curves(run)["train_loss"][-1] == (EXACT_STEPS, 1.0)


def test_what_a_later_attempt_trained_again_takes_the_place_of_what_was_before(run: Run) -> None:
    store(run, dict.fromkeys(range(1, EXACT_STEPS), 2.0))
    store(run, dict.fromkeys(range(EXACT_STEPS - 500, EXACT_STEPS + 500), 1.0), attempt=2)
    drawn = dict(curves(run)["train_loss"])
    assert {value for step, value in drawn.items() if step < EXACT_STEPS - 500} == {2.0}
    assert {value for step, value in drawn.items() if step >= EXACT_STEPS - 500} == {1.0}


def test_only_the_metrics_asked_for_are_read(run: Run) -> None:
    store(run, {1: 1.0})
    store(run, {1: 2.0}, metric="eval_loss")
    assert curves_of([run], ["eval_loss"])[run.pk] == {"eval_loss": [(1, 2.0)]}


def test_a_value_between_two_points_lies_on_the_line_between_them() -> None:
    at = reader([(0, 0.0), (10, 100.0), (20, 400.0)])
    assert [at(step) for step in (-1, 0, 5, 10, 15, 99)] == [0.0, 0.0, 50.0, 100.0, 250.0, 400.0]


def test_the_file_has_every_point_of_every_attempt_in_order(run: Run) -> None:
    long = {step: step / 2 for step in range(1, 40 * SPAN)}
    store(run, long)
    store(run, {2: 9.0}, metric="eval_loss")
    store(run, {1: 7.0}, attempt=2)
    lines = "".join(metrics_csv(run, metrics_of(run))).splitlines()
    assert lines[:3] == ["attempt,step,eval_loss,train_loss", "1,1,,0.5", "1,2,9.0,1.0"]
    assert len(lines) == len(long) + 2
    assert lines[-2:] == [f"1,{40 * SPAN - 1},,{long[40 * SPAN - 1]}", "2,1,,7.0"]


def test_points_from_before_there_were_rollups_get_theirs(run: Run) -> None:
    values = {step: random.Random(step).random() for step in range(3, 3 * SPAN)}
    store(run, values)
    rollups = facts(run)
    MetricRollup.objects.all().delete()
    import_module("runs.migrations.0002_metric_rollups").roll_up(apps, None)
    assert facts(run) == rollups
