"""Starting a sweep from "Start training", and its page."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evaluation.services import report_take_in
from projects.models import Project, User
from runs.models import Priority, Run, RunInput, Status
from tests.catalogue import made
from tests.training.sweeps import RANKS, drew, swept, trainings
from training.models import Pipeline, Sweep
from training.tabs import run_cards, run_groups

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User], Client]
PAGE = "0b7e2a56-2d1a-4c1f-9a53-0d5a1f0e7c11"
VARIED = {"vary": "learning_rate", "vary_values": "1e-4, 3e-4", "vary_2": "rank", "vary_2_values": "8, 16"}


def posted(project: Project, /, **fields: Any) -> dict[str, Any]:
    data = made.dataset(project)
    usual = {"by_method": "sft", "base_key": made.BASE_KEY, "preset": "balanced", "seed": "0", "name": "", "dataset": str(data.pk)}
    return {**usual, "evaluate": "on", "quantize": "on", "sft-epochs": "1", "page": PAGE, **fields}


def start(project: Project) -> str:
    return reverse("training:start", args=[project.slug])


def test_the_page_starts_a_sweep_of_which_no_small_files_are_made(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    answer = client_for(engineer).post(start(project), posted(project, **VARIED, name="Both"))
    sweep = Sweep.objects.get()
    assert answer["Location"] == sweep.get_absolute_url() and (sweep.name, sweep.created_by) == ("Both", engineer)
    runs = trainings(sweep)
    assert [(run.params["learning_rate"], run.params["rank"]) for run in runs] == [(1e-4, 8), (1e-4, 16), (3e-4, 8), (3e-4, 16)]
    assert {run.priority for run in runs} == {Priority.LOW}
    assert set(Run.objects.filter(project=project).values_list("stage", flat=True)) == {"sft", "evaluate"}


def test_a_priority_that_was_chosen_is_kept_and_one_training_is_of_normal_priority(
    engineer: User, project: Project, client_for: ClientFor
) -> None:
    made.base()
    client = client_for(engineer)
    client.post(start(project), posted(project, **VARIED, priority="2"))
    assert {run.priority for run in trainings(Sweep.objects.get())} == {Priority.HIGH}
    client.post(start(project), posted(project, priority=""))
    assert Run.objects.filter(stage="sft").order_by("-created_at")[0].priority == Priority.NORMAL


def test_a_double_press_starts_one_sweep_and_a_changed_page_another(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    client, data = client_for(engineer), posted(project, **VARIED)
    first, again = client.post(start(project), data), client.post(start(project), data)
    assert first["Location"] == again["Location"] and Sweep.objects.count() == 1
    client.post(start(project), {**data, "vary_2_values": "8, 32"})
    client.post(start(project), {**data, "page": PAGE.replace("0b", "0c")})
    assert Sweep.objects.count() == 3


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"vary_values": "1e-4, much"}, "vary_values", "“much” is not a number."),
        ({"vary_values": "1e-4, 7"}, "vary_values", "“7” must be less than or equal to 0.1."),
        ({"vary_values": "1e-4"}, "vary_values", "Name two values or more"),
        ({"vary_values": ""}, "vary_values", "Name two values or more"),
        ({"vary": ""}, "vary", "Choose the setting"),
        ({"vary": "begin_with"}, "vary", "Select a valid choice"),
        ({"vary_2": "learning_rate"}, "vary_2", "the first setting already"),
        ({"vary_values": "1e-4,2e-4,3e-4,4e-4", "vary_2_values": "1,2,3,4"}, "__all__", "make 16 runs; at most 12"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands_and_nothing_starts(
    fields: dict[str, str], field: str, says: str, engineer: User, project: Project, client_for: ClientFor
) -> None:
    made.base()
    answer = client_for(engineer).post(start(project), posted(project, **{**VARIED, **fields}))
    assert answer.status_code == 422
    assert says in " ".join(answer.context["sweep"].errors[field])
    page = answer.content.decode()
    assert says in page and re.search(r'id="sweep-fold" open', page)
    assert not Pipeline.objects.exists() and not Sweep.objects.exists()


def test_what_it_would_make_is_said_before_it_starts(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    client, data = client_for(engineer), posted(project, **VARIED)
    one = client.post(
        reverse("training:check", args=[project.slug]), {**data, "vary": "", "vary_2": "", "vary_values": "", "vary_2_values": ""}
    )
    several = client.post(reverse("training:check", args=[project.slug]), data)
    assert one.context["several"] is None
    found = several.context["several"]
    assert found.runs == 4 and found.seconds == pytest.approx(4 * one.context["estimate"].seconds)
    assert one.context["estimate"].disk < found.disk < 2 * one.context["estimate"].disk, "what is kept of a run is less than what it needs"
    assert 'id="sweep-plan" hx-swap-oob' in several.content.decode() and "4 runs" in several.content.decode()
    assert not Pipeline.objects.exists()


def test_each_value_is_shown_as_it_is_read_while_another_is_wrong(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    answer = client_for(engineer).post(reverse("training:check", args=[project.slug]), posted(project, vary="rank", vary_values="8, x"))
    page = answer.content.decode()
    assert answer.context["several"] is None and "is not a whole number" in page


@pytest.mark.parametrize("values", ["8, x", "8", "1,000", ", ".join(str(rank) for rank in range(1, 14))])
def test_nothing_is_said_to_be_well_while_the_values_cannot_start(
    values: str, engineer: User, project: Project, client_for: ClientFor
) -> None:
    made.base()
    client, address = client_for(engineer), reverse("training:check", args=[project.slug])
    data = posted(project, vary="rank")
    well = client.post(address, {**data, "vary_values": "8, 16"})
    assert "Nothing stands in the way" in well.content.decode() and not well.context["stopped"]
    answer = client.post(address, {**data, "vary_values": values})
    assert "Nothing stands in the way" not in answer.content.decode()
    assert [(one.level, one.code) for one in answer.context["findings"]] == [("stop", "sweep")]


def test_too_many_runs_are_said_once(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    data = posted(project, vary="rank", vary_values=", ".join(str(rank) for rank in range(1, 14)))
    for name in ("start", "check"):
        text = client_for(engineer).post(reverse(f"training:{name}", args=[project.slug]), data).content.decode()
        assert text.count("These make 13 runs; at most 12 can be started together.") == 1


def test_a_method_that_does_not_train_in_steps_offers_no_sweep(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    made.dataset(project)
    answer = client_for(engineer).get(start(project), {"by_method": "distill_answers"})
    assert answer.context["sweep"] is None and "Try several values" not in answer.content.decode()


def test_what_was_typed_stays_with_another_method_that_has_the_setting(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    client = client_for(engineer)
    data = {**posted(project, **VARIED), "shown": "sft", "by_method": "sft_full"}
    form = client.post(reverse("training:method", args=[project.slug]), data).context["sweep"]
    assert form["vary"].value() == "learning_rate" and form["vary_values"].value() == "1e-4, 3e-4"
    assert form["vary_2"].value() == "", "full fine-tuning has no rank"


def test_the_estimate_asks_no_more_of_the_database_for_more_values(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    client, data = client_for(engineer), posted(project, vary="rank")
    counts = []
    for values in ("8, 16", "1,2,3,4,5,6,7,8,9,10,11,12"):
        with CaptureQueriesContext(connection) as queries:
            assert client.post(reverse("training:check", args=[project.slug]), {**data, "vary_values": values}).context["several"]
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- its page ---


def page(client: Client, sweep: Sweep) -> Any:
    return client.get(sweep.get_absolute_url())


def ended(project: Project, sweep: Sweep) -> None:
    """All its trainings have ended, with an adapter and a report each."""
    for number, run in enumerate(trainings(sweep)):
        drew(run, [3.0, 2.0 - number / 10], [2.0, 2.0], handed=10)
        artifact = made.artifact(project, "adapter", {"adapter_model.safetensors": str(number)}, run=run, role="adapter")
        RunInput.objects.filter(from_run=run).update(artifact=artifact)
        Run.objects.filter(inputs__from_run=run).update(status=Status.SUCCEEDED)
        data = run.inputs.get(role="dataset").artifact
        report_take_in(artifact=made.report(project, run.inputs.get(role="model").artifact, artifact, data))


def test_the_page_shows_what_came_of_each_and_which_is_best(viewer: User, owner: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    sweep = swept(project, owner, RANKS, name="Ranks")
    ended(project, sweep)
    answer = page(client_for(viewer), sweep)
    found, text = answer.context["found"], answer.content.decode()
    assert [row.best for row in found.rows] == [False, True] and "Adapter rank 16" in text
    assert found.score_titles[0] == "Loss on test pairs" and not found.goes_on
    assert [chart["id"] for chart in answer.context["charts"]] == ["compare-eval-loss", "compare-general-loss"]
    assert {line["name"] for line in answer.context["charts"][0]["spec"]["series"]} == {"Adapter rank 8", "Adapter rank 16"}
    assert not re.search(r'id="sweep-(live|drawing)" hx-get', text), "nothing will change any more"


def test_only_who_builds_is_offered_to_stop_and_to_go_on(engineer: User, viewer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    going, over = swept(project, engineer, RANKS), swept(project, engineer, RANKS)
    ended(project, over)
    for sweep, name in ((going, "sweep_stop"), (over, "sweep_go_on")):
        address = reverse(f"training:{name}", args=[project.slug, sweep.pk])
        assert f'action="{address}"' in page(client_for(engineer), sweep).content.decode()
        assert address not in page(client_for(viewer), sweep).content.decode()


def test_while_runs_remain_the_page_fetches_itself_and_they_can_be_stopped(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    client, sweep = client_for(engineer), swept(project, engineer, RANKS)
    text = page(client, sweep).content.decode()
    assert (
        len(re.findall(r'id="sweep-(live|drawing)" hx-get', text)) == 2
        and "Number 1 in the queue" in text
        and "Stop all that remain" in text
    )
    assert re.search(r'<button[^>]* id="sweep-stop"[^>]* data-confirm=', text), "found again by its id after it was put in place anew"
    answer = client.post(reverse("training:sweep_stop", args=[project.slug, sweep.pk]), follow=True)
    assert "Stopping 4 runs" in answer.content.decode()
    assert "None of these trainings has ended well" in answer.content.decode()
    assert {run.status for run in trainings(sweep)} == {Status.STOPPED}


def test_rows_are_fetched_whole_and_without_reading_the_curves(viewer: User, owner: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    client, sweep = client_for(viewer), swept(project, owner, RANKS)
    assert re.search(r'id="sweep-chart-controls" hidden', page(client, sweep).content.decode()), "there is nothing to smooth yet"
    drew(trainings(sweep)[0], [3.0, 2.0])
    whole = page(client, sweep)
    text = whole.content.decode()
    assert re.search(r'hx-get="([^"]*)" hx-trigger="every 30s"', text).group(1) == sweep.get_absolute_url()  # type: ignore[union-attr]
    rows_at = re.search(r'hx-get="([^"]*)" hx-trigger="every 5s" hx-select="#sweep-rows"', text).group(1)  # type: ignore[union-attr]
    assert whole.context["charts"] and not client.get(rows_at).context["charts"]
    reads = []
    for address in (sweep.get_absolute_url(), rows_at):
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        reads.append(sum("runs_metricpoint" in one["sql"] for one in queries))
    assert reads[1] < reads[0]
    ended(project, sweep)
    table = re.search(r'<table[^>]* id="sweep-rows">.*?</table>', client.get(rows_at).content.decode(), re.DOTALL)
    assert table and "Loss on test pairs</th>" in table[0], "a column that came meanwhile has its head"


def test_what_is_said_of_ties_and_of_forgetting(viewer: User, owner: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    client, sweep = client_for(viewer), swept(project, owner, RANKS)
    one, two = trainings(sweep)
    drew(one, [3.0, 1.5], [2.0, 2.4], handed=10)
    alone = page(client, sweep).content.decode()
    assert "It forgot more than its budget allows." in alone
    drew(two, [3.0, 1.5], [2.0, 2.4], handed=10)
    both = page(client, sweep).content.decode()
    assert "It forgot more than its budget allows, as did the others that ended well." in both
    assert "Equally good as far as the digits go: Adapter rank 8 (over budget); Adapter rank 16 (over budget)." in both


def test_runs_without_anything_held_out_are_not_said_to_have_failed(
    viewer: User, owner: User, project: Project, client_for: ClientFor
) -> None:
    made.base()
    sweep = swept(project, owner, RANKS)
    for run in trainings(sweep):
        drew(run, [], [2.0, 2.0], handed=10)
    Run.objects.filter(stage="evaluate").update(status=Status.SUCCEEDED)
    text = page(client_for(viewer), sweep).content.decode()
    assert "nothing was held out to validate on" in text and "has ended well" not in text


def test_the_best_is_gone_on_with_from_the_page(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    client, sweep = client_for(engineer), swept(project, engineer, RANKS)
    ended(project, sweep)
    text = page(client, sweep).content.decode()
    best = trainings(sweep)[1]
    assert "Make a small file of it" in text and str(best.pk) in text
    address = reverse("training:sweep_go_on", args=[project.slug, sweep.pk])
    answer = client.post(address, {"run": best.pk})
    assert answer["Location"] == Run.objects.get(stage="merge").get_absolute_url()
    assert "Make a small file of it" not in page(client, sweep).content.decode()
    for run in (best.pk, "nothing"):
        assert client.post(address, {"run": run})["Location"] == sweep.get_absolute_url()
    assert Run.objects.filter(stage="merge").count() == 1


def test_runs_that_have_begun_are_compared_from_there(viewer: User, owner: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    sweep, client = swept(project, owner), client_for(viewer)
    assert page(client, sweep).context["compare"] == ""
    runs = trainings(sweep)[:2]
    Run.objects.filter(pk__in=[run.pk for run in runs]).update(status=Status.RUNNING, started_at=sweep.created_at)
    for run in runs:
        drew(run, [2.0, 1.0])
    compared = client.get(page(client, sweep).context["compare"])
    assert {run for run, _ in compared.context["chosen"]} == set(runs)


def test_a_sweep_is_named_on_its_runs_and_in_the_list(viewer: User, owner: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    sweep = swept(project, owner, RANKS, name="Two ranks")
    run = trainings(sweep)[0]
    link = f'<a href="{sweep.get_absolute_url()}">Two ranks</a>'
    assert run_groups([run])[run.pk]["name"] == "Two ranks" and run_cards(run)[0]["sweep"] == sweep
    client = client_for(viewer)
    assert link in client.get(run.get_absolute_url()).content.decode()
    assert client.get(reverse("runs:list", args=[project.slug])).content.decode().count(link) == 4


@pytest.mark.parametrize("role", ["viewer", "annotator", "reviewer"])
def test_only_builders_sweep(role: str, member: Callable[[str], User], owner: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    sweep, client = swept(project, owner, RANKS), client_for(member(role))
    assert page(client, sweep).status_code == 200
    assert client.post(start(project), posted(project, **VARIED)).status_code == 403
    for name in ("sweep_stop", "sweep_go_on"):
        assert client.post(reverse(f"training:{name}", args=[project.slug, sweep.pk])).status_code == 403
    assert Sweep.objects.count() == 1 and Run.objects.filter(stage="sft", status=Status.QUEUED).count() == 2


def test_the_page_asks_no_more_of_the_database_for_more_runs(viewer: User, owner: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    client, counts = client_for(viewer), []
    for values in ([8, 16], [1, 2, 3, 4, 5, 6, 7, 8]):
        sweep = swept(project, owner, ("rank", values))
        ended(project, sweep)
        with CaptureQueriesContext(connection) as queries:
            assert page(client, sweep).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_list_of_runs_asks_no_more_of_the_database_for_more_sweeps(
    viewer: User, owner: User, project: Project, client_for: ClientFor
) -> None:
    made.base()
    client, counts = client_for(viewer), []
    for _ in range(2):
        swept(project, owner, RANKS)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("runs:list", args=[project.slug])).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
