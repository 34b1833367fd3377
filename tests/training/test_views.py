"""Starting from the page."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from projects.models import Project, User
from runs.models import Run
from tests.catalogue import made
from training.estimates import estimate
from training.models import Pipeline
from training.preflight import Shape
from training.tabs import run_cards, run_launchers

ClientFor = Callable[[User], Client]


def form(data_version: Any, /, **changes: Any) -> dict[str, Any]:
    """What a browser posts with the page's defaults."""
    data = {
        "base_key": made.BASE_KEY,
        "dataset": str(data_version.pk),
        "preset": "balanced",
        "evaluate": "on",
        "quantize": "on",
        "name": "",
        "seed": "0",
        "sft-epochs": "1",
        "sft-learning_rate": "0.0005",
        "sft-rank": "16",
        "sft-batch_size": "8",
        "sft-max_length": "1024",
        "quantize-level": "q4_k_m",
        "sft-alpha": "32",
        "sft-target": "all-linear",
        "sft-gradient_accumulation": "1",
        "sft-schedule": "linear",
        "sft-precision": "auto",
    }
    return {**data, **changes}


def test_the_page_starts_a_whole_pipeline_and_shows_its_training(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    response = client_for(engineer).post(reverse("training:start", args=[project.slug]), form(made.dataset(project)))
    run = Run.objects.get(stage="sft")
    assert response.status_code == 302
    assert response["Location"] == run.get_absolute_url()
    assert sorted(Pipeline.objects.get().runs.values_list("stage", flat=True)) == [
        "evaluate",
        "merge",
        "quantize",
        "sft",
    ]


def test_the_first_launch_of_a_fresh_studio_shows_a_training_that_waits_for_its_base_model(
    engineer: User, project: Project, client_for: ClientFor
) -> None:
    answer = client_for(engineer).post(reverse("training:start", args=[project.slug]), form(made.dataset(project)), follow=True)
    (source,) = Run.objects.filter(project=None)
    run = answer.context["run"]
    assert answer.status_code == 200
    assert (run.stage, run.status, run.inputs.get(role="model").from_run) == ("sft", "WAITING", source)
    page = answer.content.decode()
    assert f"<span>from {source.title}</span>" in page
    assert str(source.pk) not in page
    evaluated = Run.objects.get(stage="evaluate")
    assert run.get_absolute_url() in client_for(engineer).get(evaluated.get_absolute_url()).content.decode()


def test_what_is_not_ticked_is_not_run(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    data = form(made.dataset(project))
    del data["evaluate"], data["quantize"]
    client_for(engineer).post(reverse("training:start", args=[project.slug]), data)
    assert list(Pipeline.objects.get().runs.values_list("stage", flat=True)) == ["sft"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sft-epochs": "-3"}, "greater than"),
        ({"dataset": "nothing"}, "valid choice"),
        ({"base_key": "phi-4"}, "valid choice"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_starts(
    changes: dict[str, str], says: str, engineer: User, project: Project, client_for: ClientFor
) -> None:
    made.base()
    response = client_for(engineer).post(reverse("training:start", args=[project.slug]), form(made.dataset(project), **changes))
    assert response.status_code == 422
    assert says in response.content.decode()
    assert not Run.objects.filter(stage="sft").exists()


def test_a_dataset_that_cannot_be_trained_on_starts_nothing(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    response = client_for(engineer).post(reverse("training:start", args=[project.slug]), form(made.dataset(project, train=1)))
    assert response.status_code == 422
    assert "training needs at least" in response.content.decode()
    assert not Pipeline.objects.exists()


def test_the_check_answers_for_what_is_chosen_and_starts_nothing(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    dataset = made.dataset(project, extra=[made.row(answer="word " * 300)])
    response = client_for(engineer).post(reverse("training:check", args=[project.slug]), form(dataset, **{"sft-max_length": "64"}))
    assert "reaches beyond" in response.content.decode()
    assert not Pipeline.objects.exists()


def test_without_a_dataset_the_page_teaches_the_next_step(engineer: User, project: Project, client_for: ClientFor) -> None:
    assert "nothing to train on yet" in client_for(engineer).get(reverse("training:start", args=[project.slug])).content.decode()


@pytest.mark.parametrize("role", ["viewer", "annotator", "reviewer"])
def test_only_builders_train(role: str, member: Callable[[str], User], project: Project, client_for: ClientFor) -> None:
    client = client_for(member(role))
    assert client.get(reverse("training:start", args=[project.slug])).status_code == 403
    assert client.post(reverse("training:start", args=[project.slug]), form(made.dataset(project))).status_code == 403
    assert client.post(reverse("training:check", args=[project.slug])).status_code == 403
    assert client.get(reverse("training:compare", args=[project.slug])).status_code == 200


def test_another_projects_dataset_cannot_be_chosen(engineer: User, outsider: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    made.dataset(project)
    foreign = made.dataset(outsider.projects.get())
    response = client_for(engineer).post(reverse("training:start", args=[project.slug]), form(foreign))
    assert response.status_code == 422
    assert not Pipeline.objects.exists()


def test_a_runs_page_shows_the_steps_of_its_pipeline(engineer: User, project: Project, client_for: ClientFor) -> None:
    made.base()
    client_for(engineer).post(reverse("training:start", args=[project.slug]), form(made.dataset(project)))
    run = Run.objects.get(stage="sft")
    (card,) = run_cards(run)
    assert [step["state"] for step in card["steps"]] == ["ahead"] * 4
    assert "Steps of this pipeline" in client_for(engineer).get(run.get_absolute_url()).content.decode()
    assert run_cards(Run.objects.get(stage="import_base")) == []
    assert run_launchers(project)[0]["url"] == reverse("training:start", args=[project.slug])


def test_the_estimate_counts_steps_as_the_stage_does(db: None) -> None:
    shape = Shape(train=260, validation=10, test=10, tokens=26000, longest=100)
    assert estimate(shape=shape, parameters=135_000_000, params={"epochs": 2, "batch_size": 8}).steps == 66
    assert estimate(shape=shape, parameters=135_000_000, params={"epochs": 2, "batch_size": 8, "max_steps": 40}).steps == 40
    assert estimate(shape=shape, parameters=135_000_000, params={"batch_size": 8, "gradient_accumulation": 4}).steps == 9


def test_the_estimate_of_memory_grows_with_the_batch_and_shrinks_when_it_recomputes() -> None:
    shape = Shape(train=260, validation=10, test=10, tokens=260_000, longest=1000)
    small, large, saving = (
        estimate(shape=shape, parameters=135_000_000, params=params).memory
        for params in ({"batch_size": 2}, {"batch_size": 16}, {"batch_size": 16, "gradient_checkpointing": True})
    )
    assert small < saving < large
