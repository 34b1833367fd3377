"""Trainings side by side."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evaluation.services import report_take_in
from projects.models import Project, User
from runs.models import MetricPoint, Run
from runs.rollups import points_store
from tests.catalogue import made
from training import views
from training.comparing import MOST, cell_of, run_names

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User], Client]
STEPS = range(1, 6)


def draw(run: Run, **metrics: float) -> None:
    """Each metric begins at its value and falls a tenth a step."""
    points = [MetricPoint(run=run, attempt=1, metric=name, step=n, value=first - n / 10) for name, first in metrics.items() for n in STEPS]
    points_store(points)


def count(run: Run, tokens: int, seconds: float) -> None:
    """So many tokens and seconds a step."""
    for metric, each in (("tokens_seen", tokens), ("seconds_trained", seconds)):
        points_store([MetricPoint(run=run, attempt=1, metric=metric, step=n, value=n * each) for n in STEPS])


def trained(project: Project, title: str, first: float, **params: Any) -> Run:
    base = made.base()
    tuned = made.adapter(project, base, data := made.dataset(project), title)
    report_take_in(artifact=made.report(project, base, tuned, data))
    run = tuned.produced_by
    assert run is not None
    Run.objects.filter(pk=run.pk).update(params=params)
    draw(run, train_loss=first)
    return run


def asked(client: Client, project: Project, runs: list[Run], **query: Any) -> Any:
    return client.get(reverse("training:compare", args=[project.slug]), {"run": [run.pk for run in runs], **query})


def drawn(answer: Any) -> dict[str, dict[str, list[float]]]:
    """Chart → line → what it is drawn over."""
    return {chart["id"]: {one["name"]: one["x"] for one in chart["spec"]["series"]} for chart in answer.context["charts"]}


def test_curves_settings_and_scores_are_laid_side_by_side(viewer: User, project: Project, client_for: ClientFor) -> None:
    one, two = trained(project, "One", 3.0, rank=8, epochs=1), trained(project, "Two", 2.5, rank=32, epochs=1)
    context = asked(client_for(viewer), project, [one, two]).context
    assert {series["name"] for series in context["charts"][0]["spec"]["series"]} == {"One", "Two"}
    differs = {row["name"]: row["differs"] for row in context["params"]}
    assert (differs["Adapter rank"], differs["Passes over the data"], differs["Method"], differs["Seed"]) == (True, False, False, False)
    assert list(differs.values()) == sorted(differs.values(), reverse=True), "what differs comes first"
    assert context["scores"][0]["name"] == "Loss on test pairs"


def test_trainings_by_different_methods_can_be_compared(viewer: User, project: Project, client_for: ClientFor) -> None:
    one, two = trained(project, "One", 3.0, rank=8), trained(project, "Two", 2.5)
    Run.objects.filter(pk=two.pk).update(stage="sft_full", params={"learning_rate": 2e-5})
    rows = {row["name"]: row for row in asked(client_for(viewer), project, [one, two]).context["params"]}
    assert rows["Method"]["differs"]
    assert {cell.text for cell in rows["Adapter rank"]["cells"]} == {"8", "–"}


@pytest.mark.parametrize(
    ("titles", "names"),
    [
        (["LoRA: Rates, rate 1, rank 8", "LoRA: Rates, rate 1, rank 16"], ["rank 8", "rank 16"]),
        (["LoRA: Rates, rate 1", "LoRA: Rates"], ["Rates, rate 1", "Rates"]),
        (["LoRA: First", "LoRA: Second"], ["First", "Second"]),
    ],
)
def test_names_leave_out_what_all_begin_with(titles: list[str], names: list[str]) -> None:
    runs = [Run(title=title) for title in titles]
    assert list(run_names(runs).values()) == names


def test_only_what_differs_is_shown_until_all_is_asked_for(viewer: User, project: Project, client_for: ClientFor) -> None:
    runs, client = [trained(project, "One", 3.0, rank=8, epochs=1), trained(project, "Two", 2.5, rank=32, epochs=1)], client_for(viewer)
    few = asked(client, project, runs, metric="train_loss").context
    assert {row["name"] for row in few["shown"]} == {"Adapter rank", "Dataset"} and few["alike"] == 4
    every = client.get(reverse("training:compare", args=[project.slug]) + few["switch"].partition("#")[0]).context
    assert every["every"] and len(every["shown"]) == 6 and [metric for metric, _, shown in every["metrics"] if shown] == ["train_loss"]
    assert "settings=all" not in every["switch"]


@pytest.mark.parametrize(
    ("value", "text", "full"),
    [
        (0.123456, "0.1235", "0.123456"),
        (5e-4, "0.0005", ""),
        ("0.00030000000000000003", "0.0003", "0.00030000000000000003"),
        ("131072", "131072", ""),
        ("linear", "linear", ""),
        (None, "–", ""),
    ],
)
def test_fractions_are_shown_with_four_digits_and_in_full_on_hover(value: Any, text: str, full: str) -> None:
    assert (cell_of(value).text, cell_of(value).full) == (text, full)


def test_a_link_may_name_runs_older_than_those_offered(
    viewer: User, project: Project, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [trained(project, f"Old {number}", 3.0) for number in range(2)]
    trained(project, "New", 3.0)
    monkeypatch.setattr(views, "OFFERED", 1)
    context = asked(client_for(viewer), project, old).context
    assert len(context["runs"]) == 1 and {run for run, _ in context["chosen"]} == set(old)


def test_an_address_that_names_no_run_asks_to_choose(viewer: User, project: Project, client_for: ClientFor) -> None:
    trained(project, "One", 3.0)
    answer = client_for(viewer).get(reverse("training:compare", args=[project.slug]), {"run": "nothing"})
    assert answer.status_code == 200 and "chosen" not in answer.context


def test_what_is_no_training_is_not_offered(viewer: User, project: Project, client_for: ClientFor) -> None:
    checked = made.ended_run(project, "check_pairs")
    draw(checked, duplicates_seconds=1.0)
    assert asked(client_for(viewer), project, []).context["runs"] == []


def test_a_metric_is_offered_when_two_of_the_runs_have_it(viewer: User, project: Project, client_for: ClientFor) -> None:
    runs = [trained(project, name, 3.0) for name in ("One", "Two", "Three")]
    draw(runs[0], rewards_margins=1.0, kl=1.0)
    draw(runs[1], rewards_margins=2.0)
    context = asked(client_for(viewer), project, runs, metric=["rewards_margins", "kl", "nothing"]).context
    assert [(name, shown) for name, _, shown in context["metrics"]] == [("train_loss", False), ("rewards_margins", True)]
    assert [chart["title"] for chart in context["charts"]] == ["Margin: training"]
    assert {one["name"] for one in context["charts"][0]["spec"]["series"]} == {"One", "Two"}


def test_curves_are_drawn_over_steps_tokens_or_time(viewer: User, project: Project, client_for: ClientFor) -> None:
    one, two = trained(project, "One", 3.0), trained(project, "Two", 2.5)
    count(one, tokens=100, seconds=60)
    client = client_for(viewer)
    offered = [key for key, _, _ in asked(client, project, [one, two]).context["axes"]]
    assert offered == ["step"], "the other run did not count"
    count(two, tokens=200, seconds=30)
    loss = {over: drawn(asked(client, project, [one, two], over=over))["compare-train-loss"] for over in ("step", "tokens", "time", "?")}
    assert loss["tokens"] == {"One": [100, 200, 300, 400, 500], "Two": [200, 400, 600, 800, 1000]}
    assert loss["time"] == {"One": [1, 2, 3, 4, 5], "Two": [0.5, 1, 1.5, 2, 2.5]}
    assert loss["step"] == loss["?"] == {"One": list(STEPS), "Two": list(STEPS)}


def test_twenty_are_compared_and_no_more(viewer: User, project: Project, client_for: ClientFor) -> None:
    first = trained(project, "First", 3.0)
    runs = [Run.objects.create(project=project, stage="sft", title=f"Run {n}", queue="gpu") for n in range(MOST)]
    for run in runs:
        draw(run, train_loss=2.0)
    answer = asked(client_for(viewer), project, [first, *runs])
    assert len(answer.context["chosen"]) == MOST == len(answer.context["charts"][0]["spec"]["series"])
    assert f"At most {MOST} runs" in answer.content.decode()


def test_another_projects_run_is_not_compared(viewer: User, outsider: User, project: Project, client_for: ClientFor) -> None:
    own, foreign = trained(project, "Own", 3.0), trained(outsider.projects.get(), "Foreign", 3.0)
    answer = asked(client_for(viewer), project, [own, foreign])
    assert "Foreign" not in answer.content.decode()
    assert "chosen" not in answer.context


def test_the_page_asks_no_more_of_the_database_for_more_runs(viewer: User, project: Project, client_for: ClientFor) -> None:
    runs = [trained(project, f"Run {n}", 3.0) for n in range(6)]
    client = client_for(viewer)
    counts = []
    for some in (runs[:2], runs):
        with CaptureQueriesContext(connection) as queries:
            assert asked(client, project, some).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
