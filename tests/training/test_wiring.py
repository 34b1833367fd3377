"""Steps one after another: each takes what those before it made, and none passes over it."""

from typing import Any

import pytest

from engine import registry
from projects.models import Project
from runs.models import Artifact, Run
from tests.catalogue import made
from training.methods import Method, methods
from training.steps import stages_of
from training.wiring import Bench, WiringError

pytestmark = pytest.mark.django_db


class Wired:
    """Role → source of every step, by stage, as a pipeline would wire ``stages``."""

    def __init__(self, project: Project, stages: list[str], **given: Any) -> None:
        self.base, self.data = made.base(), made.dataset(project)
        bench = Bench(base=self.base, dataset=self.data, **given)
        self.inputs: dict[str, dict[str, Any]] = {}
        for stage in stages:
            info = registry.get(stage)
            self.inputs[stage] = {
                role: source if isinstance(source, Artifact) else (source[0].stage, source[1])
                for role, source in bench.inputs(info).items()
            }
            bench.add(info, Run(project=project, stage=stage))


def chain(*keys: str) -> list[Method]:
    return [methods()[key] for key in keys]


def test_an_adapter_is_scored_on_its_base_and_merged_before_it_is_made_small(project: Project) -> None:
    stages = stages_of(chain("sft"), evaluate=True, quantize=True)
    assert stages == ["sft", "evaluate", "merge", "quantize"]
    wired = Wired(project, stages)
    assert wired.inputs["evaluate"] == {"model": wired.base, "adapter": ("sft", "adapter"), "dataset": wired.data}
    assert wired.inputs["quantize"] == {"model": ("merge", "model")}


def test_a_whole_model_is_compared_with_its_base_and_made_small_as_it_is(project: Project) -> None:
    stages = stages_of(chain("sft_full"), evaluate=True, quantize=True)
    assert stages == ["sft_full", "evaluate", "quantize"]
    wired = Wired(project, stages)
    assert wired.inputs["evaluate"] == {"model": ("sft_full", "model"), "base": wired.base, "dataset": wired.data}
    assert wired.inputs["quantize"] == {"model": ("sft_full", "model")}


def test_a_soft_prompt_can_be_scored_and_nothing_else(project: Project) -> None:
    stages = stages_of(chain("sft_prompt"), evaluate=True, quantize=True)
    assert stages == ["sft_prompt", "evaluate"]
    wired = Wired(project, stages)
    assert wired.inputs["evaluate"] == {"model": wired.base, "soft_prompt": ("sft_prompt", "adapter"), "dataset": wired.data}
    for stage in ("merge", "quantize"):
        with pytest.raises(WiringError, match=r"soft prompt.*nothing to merge"):
            Wired(project, ["sft_prompt", stage])


def test_fine_tuning_goes_on_from_what_reading_made(project: Project) -> None:
    stages = stages_of(chain("pretrain", "sft"), evaluate=True, quantize=False)
    assert stages == ["pretrain", "sft", "evaluate"]
    texts = made.artifact(project, "chunks", {"chunks.jsonl": ""})
    wired = Wired(project, stages, documents=texts)
    assert wired.inputs["pretrain"]["chunks"] == texts
    assert wired.inputs["sft"]["model"] == ("pretrain", "model")
    assert wired.inputs["evaluate"] == {
        "model": ("pretrain", "model"), "adapter": ("sft", "adapter"), "base": wired.base, "dataset": wired.data,
    }  # fmt: skip


def test_preferences_go_on_from_the_adapter(project: Project) -> None:
    stages = stages_of(chain("sft", "dpo"), evaluate=False, quantize=True)
    assert stages == ["sft", "dpo", "merge", "quantize"]
    wired = Wired(project, stages)
    assert wired.inputs["dpo"] == {"model": wired.base, "adapter": ("sft", "adapter"), "dataset": wired.data}
    assert wired.inputs["merge"] == {"model": wired.base, "adapter": ("dpo", "adapter")}


def test_an_adapter_is_merged_before_a_method_that_cannot_go_on_from_it(project: Project) -> None:
    stages = stages_of(chain("dpo", "sft"), evaluate=True, quantize=True)
    assert stages == ["dpo", "merge", "sft", "evaluate", "merge", "quantize"]
    wired = Wired(project, stages[:4])
    assert wired.inputs["sft"]["model"] == ("merge", "model")
    assert wired.inputs["evaluate"] == {
        "model": ("merge", "model"), "adapter": ("sft", "adapter"), "base": wired.base, "dataset": wired.data,
    }  # fmt: skip
    with pytest.raises(WiringError, match="Merge it into the model first"):
        Wired(project, ["dpo", "sft"])


def test_a_chosen_adapter_is_gone_on_from(project: Project) -> None:
    base = made.base()
    adapter = made.adapter(project, base, made.dataset(project))
    assert Wired(project, ["dpo"], adapter=adapter).inputs["dpo"]["adapter"] == adapter


def test_blending_gets_the_adapter_or_the_tuned_model_beside_its_base(project: Project) -> None:
    wired = Wired(project, ["sft", "blend"])
    assert wired.inputs["blend"] == {"model": wired.base, "adapter": ("sft", "adapter"), "dataset": wired.data}
    wired = Wired(project, ["sft_full", "blend", "quantize"])
    assert wired.inputs["blend"] == {"model": wired.base, "tuned": ("sft_full", "model"), "dataset": wired.data}
    assert wired.inputs["quantize"] == {"model": ("blend", "model")}


def test_a_reward_model_changes_nothing_of_what_is_trained(project: Project) -> None:
    wired = Wired(project, ["sft", "reward", "rloo", "merge"])
    beside = {"model": wired.base, "adapter": ("sft", "adapter"), "dataset": wired.data}
    assert wired.inputs["reward"] == beside
    assert wired.inputs["rloo"] == beside | {"reward": ("reward", "adapter")}
    assert wired.inputs["merge"]["adapter"] == ("rloo", "adapter")
    assert stages_of(chain("reward"), evaluate=True, quantize=True) == ["reward"]
    with pytest.raises(WiringError, match="needs a reward model"):
        Wired(project, ["rloo"])
    with pytest.raises(WiringError, match="needs an adapter"):
        Wired(project, ["reward", "merge"])


def test_a_teacher_is_no_model_to_train(project: Project) -> None:
    teacher = made.base()
    wired = Wired(project, ["distill"], teacher=teacher)
    assert wired.inputs["distill"] == {"model": wired.base, "teacher": teacher, "dataset": wired.data}
    with pytest.raises(WiringError, match="needs a model"):
        Wired(project, ["distill"])


def test_a_teachers_answers_are_what_is_trained_on(project: Project) -> None:
    wired = Wired(project, ["distill_answers", "sft"])
    assert wired.inputs["sft"]["dataset"] == ("distill_answers", "dataset")


def test_what_is_missing_is_said_in_words(project: Project) -> None:
    with pytest.raises(WiringError, match="needs documents that have been read"):
        Wired(project, ["pretrain"])
