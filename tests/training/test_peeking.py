"""The first batch on the page, by the real command."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from engine import manifest
from projects.models import Project, User
from tests.catalogue import made
from tests.materials import base_model_folder
from training import peeking
from training.peeking import Batch, _peeked, peek


@pytest.mark.slow
def test_the_page_shows_it_marked_by_more_than_colour_and_remembers_it(
    engineer: User, project: Project, client_for: Callable[[User], Client]
) -> None:
    model = base_model_folder()
    base, data = made.base(), made.dataset(project)
    type(base).objects.filter(pk=base.pk).update(uri=str(model), sha256=manifest.read(model).sha256)
    form = {"by_method": "sft", "base_key": made.BASE_KEY, "dataset": str(data.pk), "sft-batch_size": "3", "sft-max_length": "64"}
    before = _peeked.cache_info()
    text, again = (client_for(engineer).post(reverse("training:batch", args=[project.slug]), form).content.decode() for _ in range(2))
    assert text.count("<li") == 3 and "ChatML" in text and '<mark class="learnt">' in text and "Underlined" in text
    assert again == text
    assert (_peeked.cache_info().misses, _peeked.cache_info().hits) == (before.misses + 1, before.hits + 1)


@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_of_a_method_that_learns_from_answers_it_writes_no_batch_is_shown(
    method: str, engineer: User, project: Project, client_for: Callable[[User], Client]
) -> None:
    made.base()
    form = {"by_method": method, "base_key": made.BASE_KEY, "dataset": str(made.dataset(project).pk)}
    text = client_for(engineer).post(reverse("training:batch", args=[project.slug]), form).content.decode()
    assert "learns from answers that the model writes itself" in text and "<li" not in text


@pytest.mark.slow
def test_a_model_that_is_none_is_a_problem_without_places_of_this_machine(tmp_path: Path) -> None:
    options = {"model": str(tmp_path), "dataset": str(tmp_path), "max_length": 64, "batch_size": 1, "seed": 0, "preferences": False}
    batch = peek(options, "none", "none")
    assert "cannot be read" in batch.problem and batch.where == "" and str(tmp_path) not in batch.problem


@pytest.mark.parametrize(
    ("error", "says"),
    [(subprocess.TimeoutExpired("engine", 1), "took longer"), (subprocess.CalledProcessError(1, "engine"), "broke off")],
)
def test_a_reader_that_fails_is_said(error: Exception, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> str:
        raise error

    monkeypatch.setattr(peeking, "_peeked", fail)
    assert says in peek({}).problem


def test_what_becomes_of_rows_is_said_in_words() -> None:
    assert Batch(counts={"answer_cut": 1, "no_room": 2}).outcomes == [
        "1 answer is cut",
        "2 rows are left out: their question alone fills the longest text",
    ]
    assert Batch(tokens=200, trained=50).percent == 25
