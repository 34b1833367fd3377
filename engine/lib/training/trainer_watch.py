"""What a library's trainer does, as our events; and when it looks, keeps a checkpoint and ends. Heavy: imported inside functions only."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainerCallback

from engine import estimate
from engine.context import Context
from engine.lib import models
from engine.lib.training import fitting, looks, loop, trainer_logs
from engine.lib.training.checkpoints import State
from engine.lib.training.schedule import learning_rate
from engine.lib.training.settings import LoopParams
from engine.lib.training.trainer import LOSS, REFERENCE, Task
from engine.lib.training.trainer_checkpoints import TrainerCheckpoints
from engine.lib.training.weights import Masters


class _Interrupted(Exception):
    """A look that was not finished because the run was asked to stop."""


class Watch(TrainerCallback):
    """Hears what the trainer does and decides what comes next, as `loop.train` does for our own loop."""

    def __init__(self, ctx: Context, params: LoopParams, task: Task, state: State, total: int) -> None:
        self._ctx, self._params, self._task, self._state, self._total = ctx, params, task, state, total
        self._eval_every = estimate.eval_every(total, params)
        self._gradients = looks.GradientWatch(ctx)
        self._began, self._computed = time.monotonic(), time.process_time()
        self._answer_tokens = self._all_tokens = 0
        self._looked: float | None = None

    def attach(self, trainer: Any, plan: dict[str, Any], folder: Path | None) -> None:
        """Watch ``trainer``, which goes on from the checkpoint in ``folder``, if any."""
        task = self._task
        self._trainer, model = trainer, trainer.model
        masters = Masters(model)
        self.kept = TrainerCheckpoints(self._ctx, self._params, plan, masters, trainer)
        if folder is not None:
            self.kept.goes_on_from(folder, self._state.step)
        self._already = self._state.step
        prompts = [SimpleNamespace(row=SimpleNamespace(messages=row["prompt"])) for row in task.validation[:1] if "prompt" in row]
        self.job = loop.Job(
            model=model, tokenizer=task.tokenizer, masters=masters, train=task.train, validation=prompts, general=task.general,
            save=lambda target: task.save(model, masters, target), role=task.role, kind=task.kind, facts=task.facts, unit=task.unit,
        )  # fmt: skip
        trainer.watch = self
        still_reference(model)

    def keep_for_restart(self) -> Path | None:
        """See that a checkpoint of the last finished step stands, and say where; None when no step was finished."""
        if self._state.step == 0:
            return None
        self.kept.keep(self._state)
        place = self.kept.place(self.kept.step)
        return place if place.is_dir() else None

    # What the trainer calls

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._state.step == 0:
            with self._ctx.phase("preflight", "Trying the longest rows"):
                self._try_longest()
            with self._ctx.phase("validate", "Looking at the model as it is"):
                self.look()
        with self._ctx.phase("train", "Training"):
            self._ctx.progress(self._already, self._total, "steps", already=self._already)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._began, self._computed = time.monotonic(), time.process_time()
        self._answer_tokens = self._all_tokens = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        step, stopping = state.global_step, self._ctx.stop_requested
        self._state.step = step
        self._ctx.progress(step, self._total, "steps", already=self._already)
        control.should_evaluate = not stopping and (step % self._eval_every == 0 or step == self._total)
        control.should_save = step < self._total and (stopping or self.kept.due(step))
        control.should_training_stop = control.should_training_stop or stopping

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        state.log_history.clear()  # the events have it; in each checkpoint it would grow with the steps
        if "loss" in logs:
            self._tell_step(logs)
        elif self._task.judge in logs:
            self._looked = float(logs[self._task.judge]) * (1 if self._task.judge == LOSS else -1)
            self._state.figures[str(self._state.step)] = {fact: logs[name] for fact, name in self._task.figures.items()}
            self._ctx.metric(self._state.step, **trainer_logs.plain(logs))

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._ctx.stop_requested:
            raise _Interrupted

    def count(self, inputs: Any) -> None:
        """Add the tokens of one batch to those of this step."""
        answer, everything = trainer_logs.tokens_of(inputs)
        self._answer_tokens += answer
        self._all_tokens += everything

    # What comes of it

    def look(self) -> None:
        """Measure at this step and say what was found; the random numbers of the training stay as they were."""
        state, control = self._state, self._trainer.control
        control.should_evaluate = False
        with torch.random.fork_rng():
            loss = self._validation_loss()
            looks.look(self._ctx, self._params, replace(self.job, validation=[]), state)
            if loss is not None and self._task.judge == LOSS:
                state.eval_losses[str(state.step)] = loss
            looks.sample(self._ctx, self._params, self.job, state)
        must_end = looks.must_end(self._params, state)
        if loss is not None and state.step > 0 and not must_end and (state.best is None or loss < state.best["loss"]):
            state.best = {"step": state.step, "loss": loss}
            self.kept.keep_best()
        if must_end or self._ctx.stop_requested:
            control.should_training_stop = True
            control.should_save = self._ctx.stop_requested and 0 < state.step < self._total

    def _validation_loss(self) -> float | None:
        """The method's own loss on the validation rows, or what it is judged by, negated; None where there are none, or when a stop was
        asked for meanwhile.
        """
        self._looked = None
        if self._trainer.eval_dataset is None:
            return None
        try:
            self._trainer.evaluate()
        except _Interrupted:
            trainer_logs.clear(self._trainer, "eval")
            return None
        return self._looked

    def _tell_step(self, logs: dict[str, Any]) -> None:
        state, seconds = self._state, max(time.monotonic() - self._began, 1e-9)
        loss, norm = float(logs["loss"]), float(logs.get("grad_norm", 0.0))
        loop.check_finite(state.step, loss=loss, gradient=norm)
        state.losses.append(loss)
        state.answer_tokens += self._answer_tokens
        state.all_tokens += self._all_tokens
        state.seconds += seconds
        speeds = {"all_tokens_per_second": self._all_tokens / seconds, "tokens_seen": state.all_tokens}
        if self._answer_tokens:  # a judge learns from whole texts: none of its tokens carries loss
            speeds["tokens_per_second"] = self._answer_tokens / seconds
        self._ctx.metric(
            state.step, **trainer_logs.plain(logs), **(speeds if self._all_tokens else {}), memory_bytes=models.resident_bytes(),
            utilisation=models.utilisation(time.process_time() - self._computed, seconds), seconds_trained=state.seconds,
        )  # fmt: skip
        self._gradients.see(state.step, norm)

    def _try_longest(self) -> None:
        """Go there and back on the longest rows without moving anything: what will not fit shows now and not after hours."""
        trainer = self._trainer
        trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
        with torch.random.fork_rng():
            self._task.step_on_longest(trainer)
        trainer.model.zero_grad()
        trainer_logs.clear(trainer, "train")
        fitting.release()


def watched(trainer: Any) -> Any:
    """The class ``trainer``, with its looks, checkpoints and learning rate given over to its ``watch``."""

    class Watched(trainer):
        watch: Watch

        def _evaluate(self, trial: Any, ignore_keys_for_eval: Any, skip_scheduler: bool = False) -> dict[str, float]:
            self.watch.look()
            return {}

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            self.watch.kept.keep(self.watch._state)

        def write_checkpoint(self) -> None:
            super()._save_checkpoint(self.model, None)

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            params = self.watch._params
            self.lr_scheduler = LambdaLR(
                self.optimizer if optimizer is None else optimizer,
                lambda step: learning_rate(step, num_training_steps, params) / params.learning_rate,
            )
            return self.lr_scheduler

        def training_step(self, model: Any, inputs: Any, *rest: Any, **more: Any) -> Any:
            self.watch.count(inputs)
            loss = super().training_step(model, inputs, *rest, **more)
            loop.check_finite(self.state.global_step + 1, loss=float(loss))  # before the weights are moved
            return loss

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """None: the artifact's facts say what it is."""

        def _send_telemetry(self) -> None:
            """Nothing: what is trained here is nobody else's business."""

    return Watched


def still_reference(model: Any) -> None:
    """Take the dropout out of the frozen copy that an adapter is compared with: a reference does not waver."""
    for module in model.modules():
        dropout = getattr(module, "lora_dropout", None)
        if dropout is not None and REFERENCE in dropout:
            dropout[REFERENCE] = torch.nn.Identity()
