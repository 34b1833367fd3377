"""Looks at the model while it is trained: the validation pairs, general texts, and what it says."""

import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from engine import memory
from engine.context import Context
from engine.lib import scoring
from engine.lib.training import fitting, team
from engine.lib.training.checkpoints import State
from engine.lib.training.settings import LoopParams

if TYPE_CHECKING:
    from engine.lib.training.loop import Job

SAMPLE_TOKENS = 40
USUAL_STEPS = 20  # whose gradients are what is usual
SUDDEN = 20  # times the usual gradient
Found = TypeVar("Found")


def look(ctx: Context, params: LoopParams, job: "Job", state: State) -> bool:
    """Measure at this step and say what was found; whether it is the best so far that may be handed over."""
    loss = _loss(ctx, job, job.validation, params, state)
    general = _loss(ctx, job, job.general, params, state)
    values = {name: value for name, value in (("eval_loss", loss), ("general_loss", general)) if value is not None}
    if job.measure and not ctx.stop_requested:
        values |= _as_many_as_fit(job.measure, params, state)
    if values:
        ctx.metric(state.step, **values)
    if general is not None:
        state.general_losses[str(state.step)] = general
        tell_of_forgetting(ctx, params, state)
    memory.give_back_freed()
    if loss is None:
        return False
    state.eval_losses[str(state.step)] = loss
    better = state.step > 0 and (state.best is None or loss < state.best["loss"]) and not must_end(params, state)
    if better:
        state.best = {"step": state.step, "loss": loss}
    return better


def _loss(ctx: Context, job: "Job", rows: Sequence[Any], params: LoopParams, state: State) -> float | None:
    """Loss per answer token over ``rows``; None where there are none, or when a stop was asked for meanwhile."""
    if not rows:
        return None
    alone = team.join().size == 1  # several must all stop at the same place, which the loop sees to

    def measure(at_once: int) -> float | None:
        sums = scoring.row_losses(
            job.model, rows, job.tokenizer.pad_token_id, batch_size=at_once, should_stop=lambda: ctx.stop_requested and alone
        )
        return None if sums is None else scoring.mean_loss(sums)

    return _as_many_as_fit(measure, params, state)


def _as_many_as_fit(measure: Callable[[int], Found], params: LoopParams, state: State) -> Found:
    """What ``measure`` finds with as many rows read together as memory allows."""
    at_once = 2 * (state.rows_at_once or params.batch_size)
    while True:
        try:
            return measure(at_once)
        except Exception as error:
            if not memory.out_of_memory(error) or at_once == 1:
                raise
        fitting.release()
        at_once = (at_once + 1) // 2


def sample(ctx: Context, params: LoopParams, job: "Job", state: State) -> None:
    """What the model says to the prompts that are watched, or else to the first validation pair's question. Nothing from a judge."""
    prompts = params.watched or _first_question(job)
    if not prompts or (ctx.stop_requested and team.join().size == 1) or not scoring.plain(job.model).can_generate():
        return
    from engine.lib import models

    questions = [[{"role": "user", "content": prompt}] for prompt in prompts]
    said = models.greedy(job.model, job.tokenizer, questions, max_new_tokens=SAMPLE_TOKENS)
    title = "Before training" if state.step == 0 else f"After step {state.step}"
    for prompt, tokens in zip(prompts, said, strict=True):
        ctx.sample(title, prompt, job.tokenizer.decode(tokens, skip_special_tokens=True).strip())


def _first_question(job: "Job") -> list[str]:
    asked = [message["content"] for row in job.validation[:1] for message in row.row.messages if message["role"] != "assistant"]
    return asked[-1:]


def forgotten(state: State) -> float:
    """How much the loss on general texts has risen since before the training, in nats a token."""
    losses = list(state.general_losses.values())
    return losses[-1] - losses[0] if losses else 0.0


def must_end(params: LoopParams, state: State) -> bool:
    """Whether the settings ask to end here because too much is forgotten."""
    return params.stop_over_budget and forgotten(state) > params.general_budget


def tell_of_forgetting(ctx: Context, params: LoopParams, state: State) -> None:
    """Warn at the first look that finds the budget exceeded."""
    losses = list(state.general_losses.values())
    over = [loss - losses[0] > params.general_budget for loss in losses]
    if over[-1] and not any(over[:-1]):
        ctx.warn(
            "forgetting",
            f"At step {state.step} the loss on general texts is {forgotten(state):.3f} above where it began; "
            f"the budget is {params.general_budget:g}.",
            where="general_budget",
            mend="Lower the learning rate, make fewer passes, or mix more general data into the dataset version.",
        )


class GradientWatch:
    """Warns, once, when a gradient is far larger than usual: often the first sign of a training that falls apart."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._norms: list[float] = []
        self._said = False

    def see(self, step: int, norm: float) -> None:
        usual = statistics.median(self._norms) if len(self._norms) == USUAL_STEPS else 0.0
        if usual and norm > SUDDEN * usual and not self._said:
            self._said = True
            self._ctx.warn(
                "gradient",
                f"The gradient of step {step} is {norm / usual:.0f} times as large as usual; it was shortened.",
                where="learning_rate",
                mend="If the loss does not come down again, lower the learning rate. An odd row in the data may be the cause as well.",
            )
        self._norms = [*self._norms[-USUAL_STEPS + 1 :], norm]
