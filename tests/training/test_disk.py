"""What a training will take on the disk is known before it begins."""

from collections.abc import Callable
from typing import Any

import pytest

from projects.models import Project, User
from runs.models import Artifact, Run
from runs.services import run_create
from tests.catalogue import made
from training.disk import disk_needed

pytestmark = pytest.mark.django_db
PARAMETERS = 1_000_000_000


@pytest.fixture
def run(project: Project, owner: User) -> Callable[..., Run]:
    base, dataset = made.base(), made.dataset(project)
    Artifact.objects.filter(pk=base.pk).update(facts={"parameters": PARAMETERS})
    adapter = made.adapter(project, base, dataset)

    def make(stage: str, **params: Any) -> Run:
        given = {"model": base, "dataset": dataset, "adapter": adapter}
        from engine import registry

        takes = {role: given[role] for role in registry.get(stage).roles if role in given}
        return run_create(project=project, stage=stage, params=params, inputs=takes, by=owner)

    return make


def test_a_bigger_adapter_takes_more_and_full_training_by_far_the_most(run: Callable[..., Run]) -> None:
    small, large, full = disk_needed(run("sft", rank=8)), disk_needed(run("sft", rank=256)), disk_needed(run("sft_full"))
    assert small is not None and large is not None and full is not None
    assert 4 * PARAMETERS < small < large < full
    assert full > 36 * PARAMETERS, "three checkpoints of fp32 weights and two moments"


def test_merging_takes_as_much_as_models_do_and_scoring_next_to_nothing(run: Callable[..., Run]) -> None:
    merged = disk_needed(run("merge"))
    assert merged is not None and 4 * PARAMETERS < merged < 5 * PARAMETERS
    assert disk_needed(run("evaluate")) is None


def test_of_a_model_without_facts_its_size_tells(run: Callable[..., Run]) -> None:
    found = run("merge")
    model = found.inputs.get(role="model").artifact
    assert model is not None
    Artifact.objects.filter(pk=model.pk).update(facts={}, bytes=2 * PARAMETERS)
    assert disk_needed(found) == disk_needed(run("merge"))
