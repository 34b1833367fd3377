"""What a run's page draws, marks and hands out."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from projects.models import Project, User
from runs.charts import metric_places, run_charts, title_of
from runs.models import MetricPoint, Run, RunEvent
from runs.rollups import points_store

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User], Client]


@pytest.fixture
def run(project: Project, owner: User) -> Run:
    return Run.objects.create(project=project, stage="sft", title="Train", queue="gpu", created_by=owner, params={"general_budget": 0.2})


def draw(run: Run, **metrics: dict[int, float]) -> None:
    points_store(
        [
            MetricPoint(run=run, attempt=1, metric=name, step=step, value=value)
            for name, values in metrics.items()
            for step, value in values.items()
        ]
    )


def chart_of(client: Client, run: Run, name: str = "loss") -> dict[str, Any]:
    return next(chart for chart in client.get(run.get_absolute_url()).context["charts"] if chart["id"] == name)


def text_of(answer: Any) -> str:
    """What a streamed answer sends, read as an ASGI server reads it."""

    async def whole() -> bytes:
        return b"".join([part async for part in answer])

    return async_to_sync(whole)().decode()


def lines(chart: dict[str, Any]) -> dict[str, float]:
    return {line["label"]: line["value"] for line in chart["spec"]["lines"]}


def test_the_losses_share_a_chart_and_each_other_metric_has_its_title() -> None:
    points = [(1.0, 1.0)]
    names = ("train_loss", "eval_loss", "general_loss", "rewards/margins", "entropy", "odd_thing", "tokens_seen")
    charts = {chart["id"]: chart for chart in run_charts(dict.fromkeys(names, points))}
    assert [one["name"] for one in charts["loss"]["spec"]["series"]] == ["Training", "Validation", "General texts"]
    assert {key: charts[key]["title"] for key in charts} == {
        "loss": "Loss", "margin": "Margin", "metric-entropy": "Entropy of the answers", "metric-odd-thing": "Odd thing"
    }  # fmt: skip
    places = metric_places(list(charts.values()))
    assert places["rewards/margins"] == {"chart": "margin", "series": "Training"}
    assert places["tokens_seen"] is None


def test_a_metric_alone_says_which_it_is() -> None:
    assert [title_of(name) for name in ("eval_loss", "grad_norm", "eval_entropy", "new/thing")] == [
        "Loss: validation", "Gradient norm", "Entropy of the answers, validation", "New thing"
    ]  # fmt: skip


def test_the_budget_for_forgetting_is_a_line_and_where_it_was_broken_is_marked(owner: User, run: Run, client_for: ClientFor) -> None:
    draw(run, train_loss={1: 3.0}, general_loss={0: 2.0, 10: 2.15, 20: 2.25, 30: 2.5})
    assert lines(chart_of(client_for(owner), run)) == {"Budget for forgetting": 2.2, "Budget broken": 20}


def test_a_budget_that_was_kept_marks_nothing_and_one_left_as_it_is_comes_from_the_stage(
    owner: User, run: Run, client_for: ClientFor
) -> None:
    Run.objects.filter(pk=run.pk).update(params={})
    draw(run, train_loss={1: 3.0}, general_loss={0: 2.0, 10: 2.05})
    assert lines(chart_of(client_for(owner), run)) == {"Budget for forgetting": 2.1}


def test_a_run_without_general_texts_has_no_such_line(owner: User, run: Run, client_for: ClientFor) -> None:
    draw(run, train_loss={1: 3.0})
    assert lines(chart_of(client_for(owner), run)) == {}


def test_checkpoints_and_the_step_that_was_kept_are_marked(owner: User, run: Run, client_for: ClientFor) -> None:
    draw(run, train_loss={1: 3.0, 9: 2.0}, grad_norm={1: 1.0})
    for seq, step in enumerate((3, 6, 6, 9), start=1):
        RunEvent.objects.create(run=run, seq=seq, attempt=1, ts=1.0, type="checkpoint", data={"step": step, "path": "x", "sha256": "y"})
    Run.objects.filter(pk=run.pk).update(summary={"handed_over_step": 6})
    client = client_for(owner)
    assert lines(chart_of(client, run)) == {"Kept": 6}
    assert chart_of(client, run)["spec"]["ticks"]["x"] == [3, 6, 9]
    assert chart_of(client, run, "gradient")["spec"]["ticks"]["x"] == [3, 6, 9]
    assert lines(chart_of(client, run, "gradient")) == {}


def test_each_chart_hands_out_all_its_numbers(owner: User, run: Run, client_for: ClientFor) -> None:
    draw(run, train_loss={1: 3.0, 2: 2.5}, eval_loss={2: 2.75}, grad_norm={1: 1.0})
    client = client_for(owner)
    answer = client.get(chart_of(client, run)["csv"])
    assert answer["Content-Type"].startswith("text/csv")
    assert text_of(answer).splitlines() == ["attempt,step,eval_loss,train_loss", "1,1,,3.0", "1,2,2.75,2.5"]
    everything = text_of(client.get(f"{run.get_absolute_url()}metrics.csv"))
    assert everything.splitlines()[0] == "attempt,step,eval_loss,grad_norm,train_loss"


def test_a_run_without_points_hands_out_an_empty_table(owner: User, run: Run, client_for: ClientFor) -> None:
    assert text_of(client_for(owner).get(f"{run.get_absolute_url()}metrics.csv")) == "attempt,step\r\n"


def test_the_other_parts_of_the_page_can_be_had_without_reading_curves(owner: User, run: Run, client_for: ClientFor) -> None:
    draw(run, train_loss={1: 3.0})
    client = client_for(owner)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(run.get_absolute_url(), {"charts": "no"})
    assert b'id="run-head"' in answer.content
    assert not [query for query in queries if "runs_metric" in query["sql"]]
