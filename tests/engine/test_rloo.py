"""RLOO moves a model towards the answers that a reward model scores higher, as the library does it, and resumes exactly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import manifest
from engine.lib import models
from tests.engine import preference_kit
from tests.engine.preference_kit import LORA, PLAIN, preference_rows
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow
WRITING = {"generations": 2, "max_new_tokens": 12, "batch_size": 2, "gradient_accumulation": 1, "max_steps": 3, "eval_every": 3}
WRITTEN = {
    "max_steps": 3, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "num_generations": 2, "max_completion_length": 12,
}  # fmt: skip


@pytest.fixture
def reward(prefer: Callable[..., Outcome]) -> Path:
    return prefer("reward", max_steps=2).output("adapter")


def plain_run(base: Path, reward: Path, output: Path, **options: Any) -> dict[int, dict[str, Any]]:
    """What `trl.RLOOTrainer` tells of its first steps, started as anybody would, on the same questions with the same settings."""
    from datasets import Dataset
    from peft import LoraConfig, PeftModel
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
    from trl import RLOOConfig, RLOOTrainer

    tokenizer = AutoTokenizer.from_pretrained(str(base))
    judge = AutoModelForSequenceClassification.from_pretrained(str(base), num_labels=1, dtype="float32")
    judge.config.pad_token_id = tokenizer.pad_token_id
    run = RLOOTrainer(
        model=AutoModelForCausalLM.from_pretrained(str(base), dtype="float32"),
        reward_funcs=PeftModel.from_pretrained(judge, str(reward)).eval(),
        reward_processing_classes=tokenizer,
        args=RLOOConfig(**(PLAIN | WRITTEN | {"output_dir": str(output)} | options)),
        train_dataset=Dataset.from_list([{"prompt": row["messages"][:1]} for row in preference_rows(12)]),
        processing_class=tokenizer,
        peft_config=LoraConfig(**LORA),
    )  # fmt: skip
    run.train()
    return {entry["step"]: entry for entry in run.state.log_history if "loss" in entry}


def test_rewards_and_losses_are_those_of_the_library(
    prefer: Callable[..., Outcome], reward: Path, tiny_model: Path, tmp_path: Path
) -> None:
    done = prefer("rloo", reward=reward, **WRITING)
    plain = plain_run(tiny_model, reward, tmp_path / "plain")
    length = {"completions_mean_length": "completions/mean_length"}
    for ours, theirs in ({"train_loss": "loss", "reward": "reward", "kl": "kl"} | length).items():
        assert done.metric(ours) == pytest.approx({step: entry[theirs] for step, entry in plain.items()}, abs=1e-3), ours
    assert len(set(done.metric("reward").values())) == 3  # other questions, other rewards

    assert sorted(done.metric("eval_reward")) == sorted(done.metric("general_loss")) == [0, 3]
    assert not done.metric("eval_loss") and not done.metric("frac_reward_zero_std")
    assert all(value > 0 for value in (done.metric("tokens_per_second") | done.metric("all_tokens_per_second")).values())
    assert [sample["title"] for sample in done.of("sample")] == ["Before training", "After step 3"]

    record = manifest.verify(done.output("adapter"))
    assert set(record.files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert record.facts["method"] == "rloo" and record.facts["base"] == manifest.read(tiny_model).sha256
    assert record.facts["reward"] == manifest.read(reward).sha256
    assert record.facts["eval_reward"] == done.metric("eval_reward")[3]
    preference_kit.answers_as_adapter(tiny_model, done.output("adapter"))


@pytest.mark.parametrize("given", [False, True])
def test_cut_and_resumed_it_goes_on_as_if_nothing_had_been(prefer: Callable[..., Outcome], reward: Path, given: bool) -> None:
    adapter = prefer("dpo", max_steps=1).output("adapter") if given else None
    settings = WRITING | {"reward": reward, "adapter": adapter, "dropout": 0.1, "gradient_accumulation": 2}
    whole = prefer("rloo", **settings)
    cut = prefer("rloo", **settings, expect=10, stop_at=1)
    resumed = prefer("rloo", **settings, resume_from=max((cut.folder / "checkpoints").iterdir()))
    for name in ("train_loss", "reward", "kl"):
        assert resumed.metric(name) == pytest.approx({3: whole.metric(name)[3]}, abs=1e-6), name
    assert resumed.metric("eval_reward")[3] == pytest.approx(whole.metric("eval_reward")[3], abs=1e-6)
    if given:
        assert manifest.read(whole.output("adapter")).facts["went_on_from"] == manifest.read(adapter).sha256


def test_the_state_with_the_highest_reward_is_handed_over(
    prefer: Callable[..., Outcome], reward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import RLOOTrainer

    real, found = RLOOTrainer._calculate_rewards, iter([0.0, 2.0, 1.0, 1.5])  # of the looks: before, after step 1, 2 and 3

    def scripted(self: Any, *arguments: Any) -> Any:
        scores = real(self, *arguments)
        return scores if self.model.training else scores * 0 + next(found)

    monkeypatch.setattr(RLOOTrainer, "_calculate_rewards", scripted)
    done = prefer("rloo", reward=reward, **WRITING | {"eval_every": 1, "keep": "best", "learning_rate": 1e-5})
    assert list(done.metric("eval_reward").values()) == [0, 2, 1, 1.5]
    facts = manifest.read(done.output("adapter")).facts
    assert (facts["steps"], facts["eval_reward"], facts["eval_loss"]) == (1, 2, None)
    assert done.of("finished")[0]["summary"]["handed_over_step"] == 1


def test_before_the_first_step_the_longest_question_is_answered_at_full_length(
    prefer: Callable[..., Outcome], reward: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import RLOOTrainer

    real, seen = RLOOTrainer._compute_loss, []

    def seeing(self: Any, model: Any, inputs: Any) -> Any:
        if model.training:
            seen.append((int(inputs["prompt_mask"].sum(1).max()), inputs["completion_mask"].sum(1).tolist()))
        return real(self, model, inputs)

    monkeypatch.setattr(RLOOTrainer, "_compute_loss", seeing)
    prefer("rloo", reward=reward, **WRITING)
    tokenizer = models.load_tokenizer(tiny_model)
    questions = [row["messages"][:1] for row in preference_rows(12)]
    longest = max(len(tokenizer.apply_chat_template(one, add_generation_prompt=True, return_dict=False)) for one in questions)
    assert seen[0] == (longest, [12] * 4) and len(seen) == 4


def test_without_memory_fewer_questions_are_answered_at_once(
    prefer: Callable[..., Outcome], reward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import RLOOTrainer

    real = RLOOTrainer._compute_loss

    def short(self: Any, model: Any, inputs: Any) -> Any:
        if model.training and len(inputs["completion_ids"]) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")
        return real(self, model, inputs)

    monkeypatch.setattr(RLOOTrainer, "_compute_loss", short)
    done = prefer("rloo", reward=reward, **WRITING)
    assert [warning["code"] for warning in done.of("warning")] == ["memory"] and len(done.metric("reward")) == 3


def test_a_reward_model_of_another_base_is_refused(prefer: Callable[..., Outcome], tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "adapter_config.json").write_text("{}")
    manifest.write(foreign, "reward-model", facts={"base": "another"})
    assert prefer("rloo", reward=foreign, expect=20, **WRITING).of("error")[0]["code"] == "adapter_mismatch"
