"""Fine-tune a model on question-answer pairs with LoRA."""

import math
import time
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from engine import estimate, manifest, memory
from engine.context import Context
from engine.exits import InputError, Stopped
from engine.registry import StageParams, stage

FEWEST_PAIRS = 8
EDGE = 5  # steps averaged into the first and the last loss of the summary
ADVANCED: dict[str, Any] = {"advanced": True}


class Params(StageParams):
    epochs: float = Field(
        1,
        gt=0,
        le=50,
        title="Passes over the data",
        description="How often every pair is seen. One to three is usual; more makes the model repeat the pairs by heart.",
    )
    learning_rate: float = Field(
        5e-4,
        gt=0,
        le=0.1,
        title="Learning rate",
        description="How far each step moves the adapter. Too low learns little, too high makes the loss jump. "
        "0.0001 to 0.001 is usual for LoRA.",
    )
    rank: int = Field(
        16,
        ge=1,
        le=512,
        title="Adapter rank",
        description="The adapter's capacity. 8 to 32 is enough to learn a style or a domain; higher costs memory and time.",
    )
    batch_size: int = Field(
        8,
        ge=1,
        le=512,
        title="Pairs at once",
        description="How many pairs the model reads in one go. Make it smaller when memory runs out.",
    )
    max_length: int = Field(
        1024,
        ge=16,
        le=131072,
        title="Longest text",
        description="In tokens, question and answer together (a token is about three quarters of a word). Longer answers are cut.",
    )
    alpha: int = Field(
        32,
        ge=1,
        le=2048,
        title="Adapter strength (alpha)",
        json_schema_extra=ADVANCED,
        description="The adapter's weight relative to its rank. Twice the rank is a good rule.",
    )
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Dropout",
        json_schema_extra=ADVANCED,
        description="Share of the adapter's inputs switched off at random while training. 0.05 to 0.1 helps against learning by heart, but "
        "is slower.",
    )
    target: Literal["all-linear", "attention"] = Field(
        "all-linear",
        title="Layers to adapt",
        json_schema_extra=ADVANCED,
        description="All linear layers learn best; attention only is smaller and faster.",
    )
    gradient_accumulation: int = Field(
        1,
        ge=1,
        le=1024,
        title="Batches per step",
        json_schema_extra=ADVANCED,
        description="Batches added up before the adapter moves. With fewer pairs at once and more batches per step the result is the "
        "same with less memory.",
    )
    max_steps: int | None = Field(
        None,
        ge=1,
        title="Stop after steps",
        json_schema_extra=ADVANCED,
        description="Ends the training after so many steps, whatever the passes over the data. Empty: no such limit.",
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear",
        title="Learning rate over time",
        json_schema_extra=ADVANCED,
        description="How the learning rate falls from its peak to the end of the training.",
    )
    warmup_ratio: float = Field(
        0.05,
        ge=0,
        le=0.5,
        title="Warm-up",
        json_schema_extra=ADVANCED,
        description="Share of the steps in which the learning rate rises from zero, so that the start is gentle.",
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Weight decay",
        json_schema_extra=ADVANCED,
        description="Pulls the adapter's weights towards zero a little at each step. Rarely needed for LoRA.",
    )
    clip: float = Field(
        1.0,
        gt=0,
        le=1000,
        title="Gradient limit",
        json_schema_extra=ADVANCED,
        description="Steps larger than this are shortened, so that one odd batch cannot spoil the model.",
    )
    eval_every: int = Field(
        0,
        ge=0,
        title="Validate every",
        json_schema_extra=ADVANCED,
        description="Steps between two looks at the validation pairs. 0 chooses about four looks over the whole training.",
    )
    eval_rows: int = Field(
        64,
        ge=1,
        title="Validation pairs",
        json_schema_extra=ADVANCED,
        description="At most so many validation pairs are looked at each time; more is more exact and slower.",
    )
    checkpoint_every: int = Field(
        0,
        ge=0,
        title="Checkpoint every",
        json_schema_extra=ADVANCED,
        description="Steps between two checkpoints, from which training can go on after an interruption. 0 chooses about ten.",
    )
    gradient_checkpointing: bool = Field(
        False,
        title="Save memory",
        json_schema_extra=ADVANCED,
        description="Recomputes instead of remembering: much less memory, about a third slower.",
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        "auto",
        title="Number format",
        json_schema_extra=ADVANCED,
        description="bf16 needs half the memory and is faster where the processor supports it; auto finds out.",
    )


@stage(
    key="sft",
    title="Fine-tune with LoRA",
    group="train",
    queue="gpu",
    consumes={"model": "hf-model", "dataset": "dataset"},
    produces={"adapter": "adapter"},
    requires=("torch", "transformers", "peft"),
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Teach a model your pairs by training a small adapter (LoRA) on the answers; the model itself stays as it is."""
    from engine.lib import adapters, batches, models, scoring

    models.prepare_libraries()
    import torch

    torch.manual_seed(ctx.seed)  # the adapter's start and dropout

    with ctx.phase("prepare", "Reading the pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        train, validation = read_pairs(ctx, params, tokenizer)
    answer_tokens, all_tokens = sum(row.answer_tokens for row in train), sum(len(row.ids) for row in train)
    ctx.log(f"{len(train)} pairs, {all_tokens} tokens, {answer_tokens} of them in answers; {len(validation)} validation pairs")

    lengths = [len(row.ids) for row in train]
    per_epoch, total = estimate.steps_of(len(train), params)
    eval_every = estimate.eval_every(total, params)
    checkpoint_every = params.checkpoint_every or max(5, math.ceil(total / 10))
    plan = fingerprint(ctx, params, total)
    saved = read_checkpoint(ctx.resume_from, plan) if ctx.resume_from is not None else None

    with ctx.phase("load", "Loading the model"):
        dtype = models.pick_dtype(params.precision)
        model = models.load_model(ctx.inputs["model"], dtype=dtype)
        limit = models.context_length(model)
        if params.max_length > limit and max(len(row.ids) for row in train) > limit:
            raise InputError(
                "context",
                f"The model reads at most {limit} tokens, and some pairs are longer.",
                where="max_length",
                mend=f"Set the longest text to {limit} or less.",
            )
        model = adapters.attach_lora(model, rank=params.rank, alpha=params.alpha, dropout=params.dropout, target=params.target)
        if params.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
            model.enable_input_require_grads()
        check_head(model, train[0].ids)
        masters = adapters.Fp32Masters(model)
        optimizer = torch.optim.AdamW(masters.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay, foreach=True)

    state = State()
    if saved is not None:
        state = restore(saved, masters, optimizer)
        ctx.log(f"Going on after step {state.step}")
    already = kept = state.step  # ``kept``: the step that a checkpoint stands of

    @lru_cache(maxsize=1)  # sorting a large dataset at each step would take as long as a step on a GPU
    def order(epoch: int) -> list[list[int]]:
        return batches.shuffled(lengths, params.batch_size, ctx.seed, epoch)

    def validate() -> None:
        """Loss on the validation pairs at this step, and what the model says to the first of them."""
        if not validation:
            return
        sums = scoring.row_losses(
            model, validation, tokenizer.pad_token_id, batch_size=2 * params.batch_size, should_stop=lambda: ctx.stop_requested
        )
        if sums is None:
            return
        loss = scoring.mean_loss(sums)
        state.eval_losses[str(state.step)] = loss
        ctx.metric(state.step, eval_loss=loss)
        question = [m for m in validation[0].row.messages if m["role"] != "assistant"][-1:]
        said = models.greedy(model, tokenizer, [question], max_new_tokens=40)[0]
        title = "Before training" if state.step == 0 else f"After step {state.step}"
        ctx.sample(title, question[0]["content"], tokenizer.decode(said, skip_special_tokens=True).strip())
        memory.give_back_freed()

    def keep() -> None:
        """See that a checkpoint of this very moment stands. One that does is not written anew: it would be away meanwhile."""
        nonlocal kept
        if state.step != kept:
            ctx.checkpoint(state.step, write_checkpoint(ctx.work / "checkpoint", plan, state, masters, optimizer))
            kept = state.step

    def hand_over(partial: bool) -> None:
        facts = {
            "method": "lora", "rank": params.rank, "alpha": params.alpha, "target": params.target, "steps": state.step,
            "partial": partial, "pairs": len(train), "answer_tokens": state.answer_tokens,
            "loss_last": mean(state.losses[-EDGE:]), "eval_loss": last(state.eval_losses),
            "base": manifest.read(ctx.inputs["model"]).sha256, "dataset": manifest.read(ctx.inputs["dataset"]).sha256,
        }  # fmt: skip
        adapters.save_adapter(model, masters, ctx.work / "adapter")
        ctx.save("adapter", ctx.work / "adapter", kind="adapter", facts=facts)

    if state.step == 0:
        with ctx.phase("validate", "Looking at the model as it is"):
            validate()
    with ctx.phase("train", "Training"):
        model.train()
        while state.step < total and not ctx.stop_requested:
            began = time.monotonic()
            epoch, place = divmod(state.step, per_epoch)
            here = order(epoch)[place * params.gradient_accumulation :][: params.gradient_accumulation]
            chosen = [batches.collate([train[i] for i in rows], tokenizer.pad_token_id, str(model.device)) for rows in here]
            tokens = sum(len(batch.targets) for batch in chosen)
            rate = learning_rate(state.step, total, params)
            loss, norm = train_step(model, masters, optimizer, chosen, rate=rate, clip=params.clip, number=state.step + 1)

            seconds = time.monotonic() - began
            state.step += 1
            state.losses.append(loss)
            state.answer_tokens += tokens
            state.all_tokens += sum(batch.tokens for batch in chosen)
            state.seconds += seconds
            ctx.metric(
                state.step, train_loss=loss, learning_rate=rate, grad_norm=norm, tokens_per_second=tokens / seconds,
                all_tokens_per_second=sum(batch.tokens for batch in chosen) / seconds, memory_bytes=models.resident_bytes(),
            )  # fmt: skip
            ctx.progress(state.step, total, "steps", already=already)
            if state.step % eval_every == 0 or state.step == total:
                validate()
            if state.step % checkpoint_every == 0 and state.step < total and not ctx.stop_requested:
                keep()

    stopped = state.step < total
    if stopped:  # the checkpoint first: it is what cannot be made again
        keep()
    with ctx.phase("save", "Saving the adapter"):
        hand_over(partial=stopped)
    if stopped:
        raise Stopped()
    ctx.finish(
        steps=state.step, pairs=len(train), answer_tokens=state.answer_tokens, all_tokens=state.all_tokens,
        train_seconds=state.seconds, tokens_per_second=state.answer_tokens / state.seconds,
        loss_first=mean(state.losses[:EDGE]), loss_last=mean(state.losses[-EDGE:]),
        eval_losses={int(step): loss for step, loss in state.eval_losses.items()}, eval_loss_best=best(state.eval_losses),
    )  # fmt: skip


def read_pairs(ctx: Context, params: Params, tokenizer: Any) -> tuple[list[Any], list[Any]]:
    """The training and validation pairs as tokens, after every check that can be made before training. Raises ``InputError``."""
    from engine.lib import chat_rows

    def count(total: int, done: int) -> None:
        ctx.progress(done, total, "pairs")

    found = {}
    for split in ("train", "validation"):
        rows = chat_rows.read_split(ctx.inputs["dataset"], split)
        rows = rows[: params.eval_rows] if split == "validation" else rows
        found[split], rejects = chat_rows.encode(rows, tokenizer, params.max_length, on_row=partial(count, len(rows)))
        chat_rows.warn_rejects(ctx.warn, rejects, len(rows), params.max_length)
        if split == "train" and rows and not found["train"]:
            reasons = "; ".join(f"{kind}: {count}" for kind, count in rejects.counts().items())
            raise InputError(
                "no_usable_pairs",
                f"None of the {len(rows)} training pairs can be used ({reasons}).",
                where="train.jsonl",
                mend="See the warnings above: write the empty answers, shorten the questions, or allow longer texts.",
            )
    train, validation = found["train"], found["validation"]
    if len(train) < FEWEST_PAIRS:
        raise InputError(
            "too_few_pairs",
            f"Training needs at least {FEWEST_PAIRS} pairs; this dataset has {len(train)} that can be used.",
            where="train.jsonl",
            mend="Generate or write more pairs. A few hundred good ones make a difference.",
        )
    if not validation:
        ctx.warn(
            "no_validation",
            "There are no validation pairs, so nothing shows whether the model only learns by heart.",
            where="validation.jsonl",
            mend="Cut a dataset version with a validation split.",
        )
    return train, validation


def train_step(
    model: Any, masters: Any, optimizer: Any, chosen: list[Any], *, rate: float, clip: float, number: int
) -> tuple[float, float]:
    """One step on the batches ``chosen``; each answer token of the step weighs the same, whichever batch it is in.

    Out: the loss per answer token, and the gradient's norm before it was shortened to ``clip``. Raises ``InputError`` when either
    is no number, before the weights are moved: they could not be mended.
    """
    import torch

    from engine.lib import scoring

    tokens = sum(len(batch.targets) for batch in chosen)
    loss = 0.0
    for batch in chosen:
        loss += scoring.backward_on_answers(model, batch, 1 / tokens) / tokens
        masters.take_gradients()
    norm = float(torch.nn.utils.clip_grad_norm_(masters.parameters(), clip))
    for name, value in (("loss", loss), ("gradient", norm)):
        if not math.isfinite(value):
            raise InputError(
                "diverged",
                f"The {name} became {value} at step {number}.",
                where="learning_rate",
                mend="Lower the learning rate, for example to a third, and start again.",
            )
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad()
    masters.publish()
    return loss, norm


class State:
    """Where the training stands; all of it goes into a checkpoint."""

    def __init__(self) -> None:
        self.step = 0
        self.losses: list[float] = []
        self.eval_losses: dict[str, float] = {}
        self.answer_tokens = 0
        self.all_tokens = 0
        self.seconds = 0.0


def write_checkpoint(folder: Path, plan: dict[str, Any], state: State, masters: Any, optimizer: Any) -> Path:
    """Everything a later attempt needs to go on exactly: fp32 weights, optimiser, random numbers, position."""
    import torch

    folder.mkdir(exist_ok=True)
    random_state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random_state["cuda"] = torch.cuda.get_rng_state()
    torch.save(
        {
            "plan": plan, "state": vars(state), "random": random_state, "optimizer": optimizer.state_dict(),
            "weights": {name: weight.detach() for name, weight in masters.weights.items()},
        },
        folder / "state.pt",
    )  # fmt: skip
    return folder


def read_checkpoint(folder: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """What `write_checkpoint` wrote. Raises ``InputError`` when it was damaged or belongs to another training."""
    import torch

    try:
        manifest.verify(folder)  # nothing is unpacked before its hash is known to be right
    except manifest.ManifestError as error:
        raise InputError(
            "checkpoint_damaged", f"The checkpoint is damaged: {error}", where=str(folder), mend="Start the training anew."
        ) from error
    saved: dict[str, Any] = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
    if saved["plan"] != plan:
        different = [name for name in plan if saved["plan"].get(name) != plan[name]]
        raise InputError(
            "checkpoint_other",
            "The checkpoint is from a training with other settings.",
            where=", ".join(different),
            mend="Resume with the settings it was started with, or start a new run.",
        )
    return saved


def restore(saved: dict[str, Any], masters: Any, optimizer: Any) -> State:
    """Put weights, optimiser and random numbers back as they were; the place in the data is in the returned state."""
    import torch

    for name, weight in masters.weights.items():
        weight.data.copy_(saved["weights"][name])
    masters.publish()
    optimizer.load_state_dict(saved["optimizer"])
    torch.set_rng_state(saved["random"]["cpu"])
    if "cuda" in saved["random"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(saved["random"]["cuda"])
    state = State()
    vars(state).update(saved["state"])
    return state


def fingerprint(ctx: Context, params: Params, total: int) -> dict[str, Any]:
    """What must be equal for a checkpoint to be continued."""
    settings = params.model_dump(exclude={"eval_every", "eval_rows", "checkpoint_every"})
    inputs = {role: manifest.read(folder).sha256 for role, folder in ctx.inputs.items()}
    return settings | inputs | {"seed": ctx.seed, "total_steps": total}


def learning_rate(step: int, total: int, params: Params) -> float:
    """The rate of the step after ``step`` finished ones: a straight rise, then the schedule."""
    warmup = math.ceil(total * params.warmup_ratio)
    if step < warmup:
        return params.learning_rate * (step + 1) / warmup
    gone = (step - warmup) / max(total - warmup, 1)
    share = {"linear": 1 - gone, "cosine": (1 + math.cos(math.pi * gone)) / 2, "constant": 1.0}[params.schedule]
    return params.learning_rate * share


def check_head(model: Any, ids: list[int]) -> None:
    """Raise ``InputError`` for a family whose output head does more than this studio knows; its loss would be wrong."""
    import torch

    from engine.lib import scoring

    if not scoring.head_is_understood(model, torch.tensor([ids[:64]], device=model.device)):
        raise InputError(
            "family",
            f"Models of the family {model.config.model_type} cannot be trained here yet.",
            where="model",
            mend="Choose another base model.",
        )


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def last(values: dict[str, float]) -> float | None:
    return next(reversed(values.values()), None)


def best(values: dict[str, float]) -> dict[str, float] | None:
    """The step with the lowest validation loss."""
    if not values:
        return None
    step = min(values, key=lambda key: values[key])
    return {"step": int(step), "loss": values[step]}
