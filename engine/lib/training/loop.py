"""The loop of the training stages: steps, looks, checkpoints, stopping. A stage says what is trained on what, and how it is saved."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine import estimate, memory
from engine.context import Context
from engine.exits import InputError, Stopped
from engine.lib import batches, models, scoring
from engine.lib.training import acceleration, fitting, looks, optimizers, starting, team
from engine.lib.training.checkpoints import Checkpoints, State, plan_of
from engine.lib.training.schedule import learning_rate
from engine.lib.training.settings import LoopParams, TeamParams
from engine.lib.training.weights import Masters

EDGE = 5  # steps averaged into the first and the last loss of the summary
PREFLIGHT_STEPS = 2


@dataclass
class Job:
    """What is trained, on what, and what becomes of it.

    ``backward(batch, scale)`` adds the gradient of scale × (summed loss of the batch's answer tokens) and returns that sum, unscaled.
    ``penalty()`` adds the gradient of whatever else shall be small to the masters, once a step, and returns its value.
    ``rewrite(rows, step)`` gives the rows that a step learns from in place of a batch's own (answers that the model writes itself).
    ``metrics()`` are further figures of the step just taken, ``measure(at_once)`` further ones of a look, which reads ``at_once`` rows.
    ``groups`` are AdamW's parameter groups, each with its ``scale`` of the learning rate; by default all weights in one.
    ``save(folder)`` writes what was learnt, which is handed over as ``role`` of ``kind`` with ``facts``.
    """

    model: Any
    tokenizer: Any
    masters: Masters
    train: Sequence[Any]
    validation: Sequence[Any]
    general: Sequence[Any]
    save: Callable[[Path], None]
    role: str
    kind: str
    facts: dict[str, Any]
    backward: Callable[[batches.Batch, float], float] | None = None
    penalty: Callable[[], float] | None = None
    rewrite: Callable[[Sequence[Any], int], Sequence[Any]] | None = None
    metrics: Callable[[], dict[str, float]] | None = None
    measure: Callable[[int], dict[str, float]] | None = None
    unit: str = "pairs"  # what a row of ``train`` is called
    groups: list[dict[str, Any]] = field(default_factory=list)


def train(ctx: Context, params: LoopParams, job: Job) -> State:
    """Train, hand over what was learnt, and tell how it went. Raises ``Stopped`` after saving when asked to stop."""
    fitting.watch_memory()
    starting.check_words(job.model, job.tokenizer, (row.ids for row in (*job.train, *job.validation, *job.general)))
    lengths = [len(row.ids) for row in job.train]
    per_epoch, total = estimate.steps_of(len(job.train), params)
    eval_every = estimate.eval_every(total, params)
    groups = job.groups or [{"params": list(job.masters.parameters()), "scale": 1.0}]
    groups = [group | {"params": part} for group in groups for part in team.apart(group["params"])]
    choice = acceleration.accelerate(ctx, params, job.model)
    optimizer = optimizers.make(choice.optimizer, params, groups, optimizers.embeddings(job.model, job.masters.weights))
    kept = Checkpoints(ctx, params, plan_of(ctx, params, total), job.masters, optimizer)
    state = State(recomputing=params.gradient_checkpointing)
    if ctx.resume_from is not None:
        state = kept.restore(ctx.resume_from)
        ctx.log(f"Going on after step {state.step}")
    if state.recomputing:
        recompute(job.model)
    together = team.join()
    stepper = Stepper(ctx, params, job, optimizer, state)
    already = state.step

    @lru_cache(maxsize=1)  # sorting a large dataset at each step would take as long as a step on a GPU
    def order(epoch: int) -> list[list[int]]:
        return batches.shuffled(lengths, params.batch_size, ctx.seed, epoch)

    def take_a_look() -> None:
        better = looks.look(ctx, params, job, state)
        looks.sample(ctx, params, job, state)
        if better:
            kept.keep_best()

    if state.step == 0:
        with ctx.phase("preflight", "Trying the longest batch"):
            stepper.try_longest(lengths)
        with ctx.phase("validate", "Looking at the model as it is"):
            take_a_look()
    with ctx.phase("train", "Training"):
        job.model.train()
        while state.step < total and not together.any(ctx.stop_requested) and not looks.must_end(params, state):
            epoch, place = divmod(state.step, per_epoch)
            here = order(epoch)[place * params.gradient_accumulation :][: params.gradient_accumulation]
            stepper.step([[job.train[i] for i in rows] for rows in here], learning_rate(state.step, total, params))
            ctx.progress(state.step, total, "steps", already=already)
            if state.step % eval_every == 0 or state.step == total:
                take_a_look()
            if state.step < total and together.any(kept.due(state.step)):
                kept.keep(state)

    stopped = together.any(ctx.stop_requested) and state.step < total
    if stopped:  # the checkpoint first: it is what cannot be made again
        kept.keep(state)
    with ctx.phase("save", "Saving what was learnt"):
        handed = hand_over(ctx, params, job, state, kept, partial=stopped)
    if stopped:
        raise Stopped()
    tell_end(ctx, params, job, state, handed)
    return state


def tell_end(ctx: Context, params: LoopParams, job: Job, state: State, handed: int) -> None:
    """The summary of a training that ended by itself; ``handed`` is the step that was handed over."""
    speed = {"tokens_per_second": state.answer_tokens / max(state.seconds, 1e-9)} if state.answer_tokens else {}
    ctx.finish(
        **{job.unit: len(job.train)}, steps=state.step, answer_tokens=state.answer_tokens, all_tokens=state.all_tokens,
        train_seconds=state.seconds, **speed,
        loss_first=mean(state.losses[:EDGE]), loss_last=mean(state.losses[-EDGE:]), handed_over_step=handed,
        eval_losses=by_step(state.eval_losses), eval_loss_best=state.best if state.eval_losses else None,
        general_losses=by_step(state.general_losses),
        forgotten=looks.forgotten(state), over_budget=looks.forgotten(state) > params.general_budget,
    )  # fmt: skip


def hand_over(ctx: Context, params: LoopParams, job: Job, state: State, kept: Checkpoints, *, partial: bool) -> int:
    """Save what was learnt: where it was best, or as it is now. Returns the step."""
    step = state.step
    if params.keep == "best" and not partial and state.best and state.best["step"] != step and kept.best.is_file():
        step = int(state.best["step"])
        ctx.log(f"Handing over step {step}, which did best on the validation pairs")
        kept.load_best()
    facts = job.facts | {
        "steps": step, "partial": partial, job.unit: len(job.train), "answer_tokens": state.answer_tokens,
        "loss_last": mean(state.losses[-EDGE:]), "eval_loss": state.eval_losses.get(str(step)),
        "forgotten": looks.forgotten(state) if state.general_losses else None, **state.figures.get(str(step), {}),
    }  # fmt: skip
    folder = ctx.work / job.role
    with job.masters.gathered():
        if not team.join().first:
            return step
        job.save(folder)
        ctx.save(job.role, folder, kind=job.kind, facts=facts)
    return step


class Stepper:
    """Takes steps, made smaller where memory does not suffice."""

    def __init__(self, ctx: Context, params: LoopParams, job: Job, optimizer: Any, state: State) -> None:
        self._ctx, self._params, self._job = ctx, params, job
        self._optimizer, self._state = optimizer, state
        self._watch = looks.GradientWatch(ctx)
        self._team = team.join()
        self._sharded = isinstance(params, TeamParams) and params.shard

    def try_longest(self, lengths: Sequence[int]) -> None:
        """Two real steps, but for moving anything, on the longest rows there are: what will not fit shows now and not after hours."""
        import torch

        longest = sorted(range(len(lengths)), key=lambda row: -lengths[row])[: self._params.batch_size]
        rows = [[self._job.train[i] for i in longest]]
        random_state = torch.get_rng_state()
        self._job.model.train()
        for number in range(PREFLIGHT_STEPS):
            if self._ctx.stop_requested:
                break
            loss, _, _ = self._gradients(rows)
            check_finite(0, loss=loss, gradient=self._team.clip(self._job.masters.parameters(), self._params.clip))
            self._move(0.0)
            self._ctx.progress(number + 1, PREFLIGHT_STEPS, "steps")
        self._optimizer.state.clear()
        torch.set_rng_state(random_state)
        fitting.release()

    def step(self, rows: Sequence[Sequence[Any]], rate: float) -> None:
        """One step on the batches ``rows``, at the learning rate ``rate``. Raises ``InputError`` when loss or gradient is no number."""
        state = self._state
        began, computed = time.monotonic(), time.process_time()
        if self._job.rewrite:
            rows = [self._job.rewrite(batch, state.step) for batch in rows]
        loss, tokens, read = self._gradients(rows)
        penalty = self._job.penalty() if self._job.penalty else None
        norm = self._team.clip(self._job.masters.parameters(), self._params.clip)
        check_finite(state.step + 1, loss=loss, gradient=norm)
        self._move(rate)
        seconds = time.monotonic() - began
        state.step += 1
        state.losses.append(loss)
        state.answer_tokens += tokens
        state.all_tokens += read
        state.seconds += seconds
        values = ({} if penalty is None else {"penalty": penalty}) | (self._job.metrics() if self._job.metrics else {})
        self._ctx.metric(
            state.step, train_loss=loss, learning_rate=rate, grad_norm=norm, tokens_per_second=tokens / seconds,
            all_tokens_per_second=read / seconds, memory_bytes=models.resident_bytes(),
            utilisation=models.utilisation(time.process_time() - computed, seconds),
            tokens_seen=state.all_tokens, seconds_trained=state.seconds, **values,
        )  # fmt: skip
        self._watch.see(state.step, norm)

    def _gradients(self, rows: Sequence[Sequence[Any]]) -> tuple[float, int, int]:
        """Gradients of the mean loss over all answer tokens of ``rows``, whichever batch they are in.

        Out: that loss, how many answer tokens there are, and how many tokens in all. What does not fit into memory is tried again smaller.
        """
        import torch

        random_state = torch.get_rng_state()
        while True:
            try:
                loss, tokens, read = self._try(rows)
                break
            except Exception as error:
                if not memory.out_of_memory(error) or self._sharded:  # the others are in the middle of the step
                    raise
                what = fitting.shrink(self._state, max(rows, key=len), scoring.plain(self._job.model).supports_gradient_checkpointing)
                if not what:
                    raise
            # outside of the handler: the error holds on to what did not fit
            self._job.masters.drop_gradients()
            if self._state.recomputing:
                recompute(self._job.model)
            fitting.release()
            torch.set_rng_state(random_state)
            self._ctx.warn(
                "memory",
                f"A step did not fit into memory: {what}.",
                where=f"step {self._state.step + 1}",
                mend="The training goes on by itself. A smaller model or a shorter longest text leaves more room.",
            )
        self._team.sum_gradients(self._job.masters.parameters())
        total_loss, total_read = self._team.total(loss, read)
        return total_loss, tokens, int(total_read)

    def _try(self, rows: Sequence[Sequence[Any]]) -> tuple[float, int, int]:
        """This process's share of `_gradients`: its part of the loss, the answer tokens of all, and the tokens it read."""
        job, device = self._job, str(self._job.model.device)
        tokens = sum(sum(row.answer[1:]) for batch in rows for part in fitting.pieces(batch, self._state) for row in part)
        loss, read = 0.0, 0
        for batch in rows:
            share = self._team.share(batch)
            for part in fitting.pieces(share or batch[:1], self._state):
                collated = batches.collate(part, job.tokenizer.pad_token_id, device)
                weight = 1 / tokens if share else 0.0  # who has no row takes part all the same: sharded layers need everybody
                loss += (job.backward or self._plain_backward)(collated, weight) * weight
                read += collated.tokens if share else 0
                job.masters.take_gradients()
        return loss, tokens, read

    def _plain_backward(self, batch: batches.Batch, scale: float) -> float:
        return scoring.backward_on_answers(self._job.model, batch, scale)

    def _move(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._job.masters.publish()


def check_finite(step: int, **values: float) -> None:
    """Raise ``InputError`` for a value that is no number, before the weights are moved: they could not be mended."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise InputError(
                "diverged",
                f"The {name} became {value} at step {step}.",
                where="learning_rate",
                mend="Lower the learning rate, for example to a third, and start again. The last checkpoint is from before and sound.",
            )


def recompute(model: Any) -> None:
    """Have ``model`` compute anew on the way back what it would otherwise remember (gradient checkpointing)."""
    scoring.plain(model).activation_checkpointing_enable({"use_reentrant": False})


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def by_step(values: dict[str, float]) -> dict[int, float]:
    return {int(step): value for step, value in values.items()}
