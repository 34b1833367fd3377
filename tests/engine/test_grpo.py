"""GRPO moves a model towards the answers that fulfil rules better, as the library does it, and resumes exactly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import manifest
from engine.lib.overlap import token_f1
from tests.engine import preference_kit
from tests.engine.preference_kit import LORA, PLAIN, preference_rows
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow
WRITING = {"generations": 4, "max_new_tokens": 12, "batch_size": 2, "gradient_accumulation": 1, "max_steps": 3, "eval_every": 3}
WRITTEN = {
    "max_steps": 3, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "num_generations": 4, "max_completion_length": 12,
    "beta": 0.02, "reward_weights": [2.0, 0.5],
}  # fmt: skip
RULES = {"most_words": 4, "length_weight": 2.0, "closeness_weight": 0.5}


def plain_run(base: Path, output: Path, **options: Any) -> dict[int, dict[str, Any]]:
    """What `trl.GRPOTrainer` tells of its first steps, started as anybody would, with the same rules written down anew."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    def brief(completions: Any, **_: Any) -> list[float]:
        counts = [len(written[0]["content"].split()) for written in completions]
        return [min(1.0, 4 / max(count, 1)) for count in counts]

    def close(completions: Any, reference: list[str], **_: Any) -> list[float]:
        return [token_f1(written[0]["content"], wanted) for written, wanted in zip(completions, reference, strict=True)]

    run = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(str(base), dtype="float32"),
        reward_funcs=[brief, close],
        args=GRPOConfig(**(PLAIN | WRITTEN | {"output_dir": str(output)} | options)),
        train_dataset=Dataset.from_list(
            [{"prompt": row["messages"][:1], "reference": row["messages"][1]["content"]} for row in preference_rows(12)]
        ),
        processing_class=AutoTokenizer.from_pretrained(str(base)),
        peft_config=LoraConfig(**LORA),
    )  # fmt: skip
    run.train()
    return {entry["step"]: entry for entry in run.state.log_history if "loss" in entry}


def test_rewards_and_losses_are_those_of_the_library(prefer: Callable[..., Outcome], tiny_model: Path, tmp_path: Path) -> None:
    done = prefer("grpo", **WRITING, **RULES)
    plain = plain_run(tiny_model, tmp_path / "plain")
    rules = {"reward_length": "rewards/brief/mean", "reward_closeness": "rewards/close/mean"}
    for ours, theirs in ({"train_loss": "loss", "reward": "reward", "kl": "kl"} | rules).items():
        assert done.metric(ours) == pytest.approx({step: entry[theirs] for step, entry in plain.items()}, abs=1e-3), ours
    assert len(set(done.metric("reward").values())) == 3
    for step, reward in done.metric("reward").items():
        assert reward == pytest.approx(2 * done.metric("reward_length")[step] + 0.5 * done.metric("reward_closeness")[step], abs=1e-5)
    assert sorted(done.metric("eval_reward")) == sorted(done.metric("eval_reward_length")) == [0, 3]
    assert not done.metric("eval_loss")

    record = manifest.verify(done.output("adapter"))
    assert set(record.files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert record.facts["method"] == "grpo" and record.facts["eval_reward"] == done.metric("eval_reward")[3]
    preference_kit.answers_as_adapter(tiny_model, done.output("adapter"))


def test_cut_and_resumed_it_goes_on_as_if_nothing_had_been(prefer: Callable[..., Outcome]) -> None:
    settings = WRITING | RULES | {"dropout": 0.1, "gradient_accumulation": 2}
    whole = prefer("grpo", **settings)
    cut = prefer("grpo", **settings, expect=10, stop_at=1)
    resumed = prefer("grpo", **settings, resume_from=max((cut.folder / "checkpoints").iterdir()))
    for name in ("train_loss", "reward", "kl"):
        assert resumed.metric(name) == pytest.approx({3: whole.metric(name)[3]}, abs=1e-6), name


def test_resumed_in_the_second_pass_the_questions_come_in_the_same_order(prefer: Callable[..., Outcome], tmp_path: Path) -> None:
    dataset = preference_kit.write_dataset(tmp_path / "asked", train=preference_rows(12), validation=preference_rows(2, skip=12))
    settings = WRITING | RULES | {"batch_size": 4, "generations": 2, "max_steps": 6, "eval_every": 6, "general_rows": 0, "dataset": dataset}
    whole = prefer("grpo", **settings)
    cut = prefer("grpo", **settings, expect=10, stop_at=3)  # three steps a pass; it stops after the fourth
    resumed = prefer("grpo", **settings, resume_from=max((cut.folder / "checkpoints").iterdir()))
    for name in ("reward", "reward_closeness", "completions_mean_length", "train_loss"):
        assert resumed.metric(name) == pytest.approx({step: whole.metric(name)[step] for step in (5, 6)}, abs=1e-6), name


def test_a_rule_that_the_datasets_own_answers_never_fulfil_is_warned_of(prefer: Callable[..., Outcome]) -> None:
    done = prefer("grpo", **WRITING | {"max_steps": 1}, pattern=r"Answer: .+", must_have="zeppelin", closeness_weight=0)
    assert {warning["where"]: warning["code"] for warning in done.of("warning")} == {"pattern": "rule_unmet", "must_have": "rule_unmet"}
    assert any("By the form, the dataset's own answers earn 0.00 of 1" in line["message"] for line in done.of("log"))


@pytest.mark.parametrize(
    ("settings", "code", "where"),
    [
        ({"closeness_weight": 0}, "no_rules", "closeness_weight"),
        ({"fewest_words": 9, "most_words": 3}, "length_bounds", "most_words"),
        ({"pattern": "(x|xx)+[yz]"}, "pattern_slow", "pattern"),
        ({"pattern": "("}, "params", "pattern"),
        ({"json_form": '{"format": "date"}'}, "params", "json_form"),
    ],
)
def test_rules_that_cannot_work_are_refused_before_the_model_is_loaded(
    prefer: Callable[..., Outcome], settings: dict[str, Any], code: str, where: str
) -> None:
    (error,) = prefer("grpo", expect=20, **WRITING | settings).of("error")
    assert (error["code"], error["where"]) == (code, where)


def test_a_pattern_that_fails_on_an_answer_costs_the_reward_and_is_said_once() -> None:
    from types import SimpleNamespace

    from engine.lib import reward_rules, rewards

    def score(answer: str, reference: str) -> float:
        raise rewards.TooSlow

    said: list[str] = []
    context: Any = SimpleNamespace(warn=lambda code, *_, **__: said.append(code))
    patient = reward_rules.patient(context, reward_rules.Rule("form", "pattern", "the form", 1, score))
    assert [patient("a", ""), patient("b", "")] == [0, 0] and said == ["pattern_slow"]
