"""What the forms say of a training before it starts."""

import pytest

from engine import probes
from projects.models import Project
from runs.models import MetricPoint, Run, Status
from tests.catalogue import made
from training.estimates import Estimate, estimate
from training.models import Pipeline, PipelineRun
from training.preflight import Shape

SHAPE = Shape(train=400, validation=40, test=40, tokens=40_000, longest=200)
SMALL = 135_000_000

pytestmark = pytest.mark.django_db


def test_what_is_not_chosen_is_the_stages_default() -> None:
    told = {"epochs": 1, "batch_size": 8, "rank": 16, "max_steps": None}
    assert estimate(shape=SHAPE, parameters=SMALL, params=told) == estimate(shape=SHAPE, parameters=SMALL, params={})


def test_a_value_that_no_training_would_take_is_no_reason_to_fail() -> None:
    assert estimate(shape=SHAPE, parameters=SMALL, params={"epochs": 0, "nonsense": 1}).steps == 1


def test_it_fits_where_there_is_memory_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = Estimate(steps=1, tokens=1, seconds=1.0, memory=10 * 2**30, disk=1, basis="")
    monkeypatch.setattr(probes, "gpus", list)
    monkeypatch.setattr(probes, "memory", lambda: {"total": 8 * 2**30, "available": 0})
    assert not needs.fits
    monkeypatch.setattr(probes, "gpus", lambda: [{"name": "x", "memory_bytes": 4 * 2**30}, {"name": "y", "memory_bytes": 24 * 2**30}])
    assert needs.fits


def test_time_rests_on_the_last_training_of_the_same_model(project: Project) -> None:
    pipeline = Pipeline.objects.create(project=project, name="One", base_key="small", dataset=made.dataset(project), steps=[])
    run = Run.objects.create(project=project, stage="sft", title="Train", queue="gpu", status=Status.SUCCEEDED)
    PipelineRun.objects.create(pipeline=pipeline, run=run, position=0)
    points = [MetricPoint(run=run, attempt=1, metric="all_tokens_per_second", step=n, value=100.0 + (n == 1)) for n in range(1, 8)]
    MetricPoint.objects.bulk_create(points)
    found = estimate(shape=SHAPE, parameters=SMALL, params={}, base_key="small")
    assert found.seconds > 400 and "last training" in found.basis
    assert "arithmetic" in estimate(shape=SHAPE, parameters=SMALL, params={}, base_key="another").basis


def test_answers_and_the_judge_take_memory() -> None:
    def memory(stage: str, **params: object) -> int:
        return estimate(shape=SHAPE, parameters=SMALL, params={"precision": "bf16", **params}, stage=stage).memory

    four, eight = memory("grpo", generations=4), memory("grpo", generations=8)
    assert eight - four == pytest.approx(2 * (four - memory("grpo", generations=2)))
    assert memory("rloo", generations=4) - four == pytest.approx(2 * SMALL)  # two bytes a weight


def test_longer_answers_take_longer_to_write_until_a_training_here_has_told(project: Project) -> None:
    def seconds(answer: int, base: str = "") -> float:
        return estimate(shape=SHAPE, parameters=SMALL, params={"max_new_tokens": answer}, base_key=base, stage="grpo").seconds

    assert seconds(256) - seconds(128) == pytest.approx(seconds(128) - seconds(0), rel=0.01) and seconds(128) > 1.2 * seconds(0)
    pipeline = Pipeline.objects.create(project=project, name="One", base_key="small", dataset=made.dataset(project), steps=[])
    run = Run.objects.create(project=project, stage="grpo", title="Train", queue="gpu", status=Status.SUCCEEDED)
    PipelineRun.objects.create(pipeline=pipeline, run=run, position=0)
    MetricPoint.objects.create(run=run, attempt=1, metric="all_tokens_per_second", step=1, value=50.0)
    assert seconds(256, "small") == seconds(128, "small")  # what was measured holds the writing


@pytest.mark.parametrize(("capability", "like"), [((8, 0), "bf16"), ((7, 5), "fp32")])
def test_an_older_gpu_is_taken_to_compute_in_fp32(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], like: str) -> None:
    monkeypatch.setattr(probes, "gpus", lambda: [{"name": "x", "memory_bytes": 16 * 2**30}])
    monkeypatch.setattr(probes, "compute_capability", lambda: capability)
    found = {
        precision: estimate(shape=SHAPE, parameters=SMALL, params={"precision": precision}).memory for precision in ("auto", "bf16", "fp32")
    }
    assert found["auto"] == found[like] and found["bf16"] < found["fp32"]
