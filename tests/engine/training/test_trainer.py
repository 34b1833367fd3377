"""A library's trainer under our context, on a tiny model in this process: what does not fit, what falls apart, what is best."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import events, manifest
from engine.context import Context
from engine.exits import InputError, Stopped
from engine.lib import models
from engine.lib.training import trainer, trainer_logs, trainer_watch
from engine.lib.training.settings import LoopParams
from engine.spec import Spec
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow
SETTINGS = {
    "batch_size": 4, "learning_rate": 1e-2, "max_steps": 4, "epochs": 9, "warmup_ratio": 0.0, "precision": "fp32", "max_length": 16,
    "general_rows": 0, "eval_every": 2, "keep": "last",
}  # fmt: skip
LORA = {"r": 4, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}


class Training:
    """One training of a LoRA adapter on the tiny model by transformers' own trainer."""

    def __init__(self, folder: Path, base: Path, **settings: Any) -> None:
        from transformers import Trainer, TrainingArguments

        rows = [{"input_ids": ids, "labels": ids} for ids in ([3 + (n * 7 + place) % 40 for place in range(10)] for n in range(16))]
        folder.mkdir(parents=True)
        self.base = base
        self.params = LoopParams(**SETTINGS | settings)
        self.context = Context(folder, Spec(stage="dpo", seed=5), events.EventWriter(folder))
        self.outcome = Outcome(0, folder)
        self.task = trainer.Task(
            trainer=Trainer, config=TrainingArguments, options={}, load=self.load, tokenizer=models.load_tokenizer(base), train=rows[:12],
            validation=rows[12:], general=[], facts={"method": "plain"},
        )  # fmt: skip

    def load(self) -> tuple[Any, Any]:
        import torch
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(2)
        return get_peft_model(models.load_model(self.base, dtype=torch.float32, device="cpu"), LoraConfig(**LORA)), None

    def go(self) -> Any:
        return trainer.train(self.context, self.params, self.task)

    def checkpoint(self, step: int) -> Path:
        return self.outcome.folder / "checkpoints" / f"{step:08d}"

    def with_trainer(self, **methods: Any) -> "Training":
        self.task = replace(self.task, trainer=type("Mended", (self.task.trainer,), methods))
        return self


@pytest.fixture
def training(tmp_path: Path, tiny_model: Path) -> Callable[..., Training]:
    counter = iter(range(100))
    return lambda **settings: Training(tmp_path / str(next(counter)), tiny_model, **settings)


def short_of_memory(training: Training, rows: int, after: int = 0) -> Training:
    """Let more than ``rows`` rows at once fail the way torch fails, once ``after`` steps are done."""
    real = training.task.trainer.compute_loss

    def compute_loss(self: Any, model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
        if model.training and len(inputs["input_ids"]) > rows and self.state.global_step >= after:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")
        return real(self, model, inputs, *rest, **more)

    return training.with_trainer(compute_loss=compute_loss)


@pytest.mark.parametrize("after", [0, 2])
def test_what_does_not_fit_is_read_in_smaller_pieces_with_the_same_losses(training: Callable[..., Training], after: int) -> None:
    whole, small = training(), short_of_memory(training(), rows=2, after=after)
    whole.go()
    small.go()
    assert small.outcome.metric("train_loss") == pytest.approx(whole.outcome.metric("train_loss"), abs=1e-5)
    (warning,) = small.outcome.of("warning")
    assert "2 of 4 rows are read at once" in warning["message"] and warning["where"] == f"step {after + 1}"
    assert sorted(small.outcome.metric("eval_loss")) == [0, 2, 4]


def test_when_nothing_is_left_to_make_smaller_it_ends_as_out_of_memory(training: Callable[..., Training]) -> None:
    small = short_of_memory(training(), rows=0)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        small.go()
    said = [warning["message"] for warning in small.outcome.of("warning")]
    assert ["2 of 4" in said[0], "1 of 4" in said[1], "computed anew" in said[2], len(said)] == [True, True, True, 3]


def test_a_loss_that_is_no_number_ends_it_and_leaves_the_checkpoint_before(training: Callable[..., Training]) -> None:
    one = training(checkpoint_every=1, eval_every=9)
    real = one.task.trainer.compute_loss

    def compute_loss(self: Any, model: Any, *rest: Any, **more: Any) -> Any:
        loss = real(self, model, *rest, **more)
        return loss * float("nan") if model.training and self.state.global_step == 2 else loss

    one.with_trainer(compute_loss=compute_loss)
    with pytest.raises(InputError) as raised:
        one.go()
    assert raised.value.code == "diverged" and "step 3" in raised.value.message
    assert [data["step"] for data in one.outcome.of("checkpoint")] == [1, 2]
    assert not one.outcome.of("artifact")


def test_asked_to_stop_it_keeps_a_checkpoint_and_what_was_learnt(training: Callable[..., Training]) -> None:
    one = training()
    one.context.stop_requested = True
    with pytest.raises(Stopped):
        one.go()
    (checkpoint,) = one.outcome.of("checkpoint")
    record = manifest.verify(one.outcome.output("adapter"))
    assert (record.facts["partial"], record.facts["steps"], checkpoint["step"]) == (True, 1, 1)
    assert json.loads((one.outcome.folder / checkpoint["path"] / "plan.json").read_text())["total_steps"] == 4


def test_the_best_state_is_handed_over(training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import load_file

    looked = iter([3.0, 1.0, 2.0])  # before, after step 2, after step 4
    monkeypatch.setattr(trainer_watch.Watch, "_validation_loss", lambda self: next(looked))
    one = training(keep="best", checkpoint_every=2)
    one.go()
    assert manifest.read(one.outcome.output("adapter")).facts["steps"] == 2
    weights = [load_file(folder / "adapter_model.safetensors") for folder in (one.outcome.output("adapter"), one.checkpoint(2))]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[1])


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(training: Callable[..., Training]) -> None:
    def save_model(self: Any, folder: str, **_: Any) -> None:
        Path(folder).mkdir(parents=True)
        raise OSError(28, "No space left on device")

    one = training(checkpoint_every=2).with_trainer(save_model=save_model)
    one.go()
    assert [warning["code"] for warning in one.outcome.of("warning")] == ["checkpoint"]
    assert len(one.outcome.metric("train_loss")) == 4 and not list((one.outcome.folder / "work" / "trainer").iterdir())


def test_the_learning_rate_follows_the_house_s_own_schedule(training: Callable[..., Training]) -> None:
    one = training(schedule="cosine", warmup_ratio=0.5)
    one.go()
    from engine.lib.training.schedule import learning_rate

    assert one.outcome.metric("learning_rate") == pytest.approx({step + 1: learning_rate(step, 4, one.params) for step in range(4)})


def test_logs_come_under_plain_names_without_what_says_nothing() -> None:
    logs = {
        "loss": 2,
        "rewards/margins": 0.5,
        "logits/chosen": 1.0,
        "epoch": 0.1,
        "kl": float("nan"),
        "eval_runtime": 3.0,
        "eval_loss": 1.0,
    }
    assert trainer_logs.plain(logs) == {"train_loss": 2.0, "rewards_margins": 0.5, "eval_loss": 1.0}


def test_a_trainer_that_runs_out_of_data_before_the_last_step_is_an_error(training: Callable[..., Training]) -> None:
    one = training().with_trainer(_get_train_sampler=lambda self, *_: range(0))
    with pytest.raises(InputError, match="after step 0 of 4") as raised:
        one.go()
    assert raised.value.code == "ended_early" and not one.outcome.of("artifact")


def test_begun_anew_in_8_bits_nothing_of_the_model_before_is_held(training: Callable[..., Training]) -> None:
    import gc
    import weakref

    from bitsandbytes.optim import GlobalOptimManager

    one = short_of_memory(training(optimizer="adamw_8bit", max_steps=1, eval_every=1), 2)
    real, loaded = one.task.load, []

    def load() -> tuple[Any, Any]:
        model, config = real()
        loaded.append(weakref.ref(model.get_input_embeddings()))
        return model, config

    one.task = replace(one.task, load=load)
    one.go()
    gc.collect()
    assert len(loaded) == 2 and loaded[0]() is None
    GlobalOptimManager.get_instance().initialize()
