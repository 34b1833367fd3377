"""Running a Trainer of transformers or TRL as a stage: our settings in; our metrics, looks, checkpoints and stopping out.

For methods whose loss the library has and `loop` has not. A stage describes its `Task`; everything else is the same for all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine import estimate, memory
from engine.context import Context
from engine.exits import InputError, Stopped
from engine.lib import models, scoring
from engine.lib.training import acceleration, fitting, looks, loop, optimizers, starting
from engine.lib.training.checkpoints import State, plan_of
from engine.lib.training.settings import LoopParams
from engine.lib.training.weights import Masters

REFERENCE = "ref"  # what TRL calls the frozen copy of an adapter that is trained on
LOSS = "eval_loss"  # what trainers call the loss of a look


def save_adapter(model: Any, masters: Masters, folder: Path) -> None:
    """Write the trained adapter, without the copy that was its reference."""
    from engine.lib import adapters

    if REFERENCE in model.peft_config:
        model.delete_adapter(REFERENCE)
    adapters.save_adapter(model, masters, folder)


def token_columns(rows: Any) -> list[Any]:
    """Those of a `datasets.Dataset` that hold texts as tokens."""
    return [rows[name] for name in rows.column_names if name.endswith("ids")]


def step_on_longest(trainer: Any) -> None:
    """For rows of tokens; nothing for rows of another form."""
    rows = trainer.train_dataset
    lengths = [sum(len(tokens) for tokens in row) for row in zip(*token_columns(rows), strict=True)]
    longest = sorted(range(len(lengths)), key=lambda row: -lengths[row])[: trainer.args.per_device_train_batch_size]
    if longest:
        trainer.training_step(trainer.model_wrapped, trainer.data_collator([rows[row] for row in longest]))


@dataclass
class Task:
    """What is trained by which trainer, and what becomes of it.

    ``trainer`` and ``config`` are the library's classes; ``options`` go to the config beside what the settings say, ``more`` to the
    trainer. ``load()`` gives the model and the PEFT configuration that the trainer shall put on it, or None. ``train`` and ``validation``
    are rows in the trainer's own form, ``general`` texts of general knowledge as tokens. ``save(model, masters, folder)`` writes what was
    learnt, which is handed over as ``role`` of ``kind`` with ``facts``. ``fewest`` rows must be read at once; ``step_on_longest(trainer)``
    goes there and back on the longest rows. The best look is the one with the lowest loss, or with the highest ``judge`` where
    that is something else; ``figures`` maps a fact to what the trainer calls that figure of the look whose state is handed over.
    """

    trainer: Any
    config: Any
    options: dict[str, Any]
    load: Callable[[], tuple[Any, Any]]
    tokenizer: Any
    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    general: list[Any]
    facts: dict[str, Any]
    unit: str = "pairs"  # what is counted in ``train``
    role: str = "adapter"
    kind: str = "adapter"
    save: Callable[[Any, Masters, Path], None] = save_adapter
    more: dict[str, Any] = field(default_factory=dict)
    fewest: int = 1
    step_on_longest: Callable[[Any], None] = step_on_longest
    judge: str = LOSS
    figures: dict[str, str] = field(default_factory=dict)


def train(ctx: Context, params: LoopParams, task: Task) -> State:
    """Train, hand over what was learnt, and tell how it went.

    Raises ``Stopped`` after saving when asked to stop, ``InputError`` for a loss that is no number, a checkpoint that is of no use, and
    data that ends before the last step.
    """
    from engine.lib.training import trainer_checkpoints
    from engine.lib.training.trainer_watch import Watch

    total = estimate.steps_of(len(task.train), params)[1]
    plan = plan_of(ctx, params, total)
    state, folder = State(recomputing=params.gradient_checkpointing), ctx.resume_from
    if folder is not None:
        state = trainer_checkpoints.read(folder, plan)
        ctx.log(f"Going on after step {state.step}")
    while True:
        with ctx.phase("load", "Loading the model"):
            watch = Watch(ctx, params, task, state, total)
            trainer = built(ctx, params, task, state, total, watch)
            watch.attach(trainer, plan, folder)
            fitting.watch_memory()
        try:
            trainer.train(resume_from_checkpoint=str(folder) if folder else None)
            break
        except Exception as error:
            if not memory.out_of_memory(error):
                raise
            what = smaller(state, params, task, scoring.plain(trainer.model).supports_gradient_checkpointing)
            if not what:
                raise
        # outside of the handler: the error holds on to what did not fit
        trainer.model.zero_grad()
        folder = watch.keep_for_restart() or folder
        before = trainer_checkpoints.read(folder, plan) if folder else State()  # on a full disk that is not where it just stood
        state = replace(before, rows_at_once=state.rows_at_once, recomputing=state.recomputing)
        del trainer, watch
        optimizers.forget(params.optimizer)
        fitting.release()
        ctx.warn(
            "memory",
            f"A step did not fit into memory: {what}.",
            where=f"step {state.step + 1}",
            mend="The training goes on by itself. A smaller model or a shorter longest text leaves more room.",
        )
    stopped = ctx.stop_requested and state.step < total
    if state.step < total and not stopped and not looks.must_end(params, state):
        raise InputError(
            "ended_early",
            f"The training ended by itself after step {state.step} of {total}: its data gave no more batches.",
            where="dataset",
            mend=f"Take fewer {task.unit} at once, or a larger dataset.",
        )
    with ctx.phase("save", "Saving what was learnt"):
        handed = loop.hand_over(ctx, params, watch.job, state, watch.kept, partial=stopped)
    if stopped:
        raise Stopped()
    loop.tell_end(ctx, params, watch.job, state, handed)
    return state


def built(ctx: Context, params: LoopParams, task: Task, state: State, total: int, watch: Any) -> Any:
    """The task's trainer, ready to train, with a fresh model."""
    from datasets import Dataset, disable_progress_bars
    from transformers import PrinterCallback

    from engine.lib.training.trainer_watch import watched

    disable_progress_bars()
    model, peft_config = task.load()
    choice = acceleration.accelerate(ctx, params, model)
    trainer = watched(task.trainer)(
        model=model,
        args=arguments(ctx, params, task, state, total, choice),
        train_dataset=Dataset.from_list(task.train),
        eval_dataset=Dataset.from_list(task.validation) if task.validation else None,
        processing_class=task.tokenizer,
        callbacks=[watch],
        **({} if peft_config is None else {"peft_config": peft_config}),
        **task.more,
    )
    starting.check_words(trainer.model, task.tokenizer, (row.ids for row in task.general))
    for rows in filter(None, (trainer.train_dataset, trainer.eval_dataset)):
        for column in token_columns(rows):
            starting.check_words(trainer.model, task.tokenizer, column)
    trainer.remove_callback(PrinterCallback)  # a line a step in the log
    for config in getattr(trainer.model, "peft_config", {}).values():
        config.base_model_name_or_path = ""  # where the base lies on this machine is nobody else's business
    return trainer


def arguments(ctx: Context, params: LoopParams, task: Task, state: State, total: int, choice: acceleration.Choice) -> Any:
    """The settings in the library's words. Logs come every step; looks and checkpoints are asked for by `trainer_watch`.

    Liger's kernels are in the model already: the library's own switch would put its loss in as well.
    """
    at_once = state.rows_at_once or params.batch_size
    on_gpu = models.pick_device() == "cuda"
    return task.config(
        output_dir=str(ctx.work / "trainer"), max_steps=total, seed=ctx.seed,
        per_device_train_batch_size=at_once, per_device_eval_batch_size=at_once,
        gradient_accumulation_steps=params.gradient_accumulation * (params.batch_size // at_once),
        learning_rate=params.learning_rate, weight_decay=params.weight_decay, max_grad_norm=params.clip,
        use_cpu=not on_gpu, dataloader_pin_memory=on_gpu, bf16=choice.precision == acceleration.BF16, fp16=False,
        optim=optimizers.FOR_TRAINERS[choice.optimizer], use_liger_kernel=False,
        gradient_checkpointing=state.recomputing, gradient_checkpointing_kwargs={"use_reentrant": False},
        logging_strategy="steps", logging_steps=1, logging_nan_inf_filter=False, eval_strategy="no", save_strategy="no",
        report_to="none", disable_tqdm=True, **task.options,
    )  # fmt: skip


def smaller(state: State, params: LoopParams, task: Task, can_recompute: bool) -> str:
    """Make the next try smaller at the same rows a step; what was changed, in words, or empty when nothing is left to change."""
    at_once = state.rows_at_once or params.batch_size
    fewer = [rows for rows in range(task.fewest, at_once // 2 + 1) if params.batch_size % rows == 0]
    if fewer:
        state.rows_at_once = fewer[-1]
        return fitting.fewer_at_once(fewer[-1], params.batch_size)
    if can_recompute and not state.recomputing:
        state.recomputing = True
        return fitting.COMPUTED_ANEW
    return ""
