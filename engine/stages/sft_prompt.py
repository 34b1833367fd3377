"""Prompt tuning: learn vectors that the model reads before each question."""

from pydantic import Field

from engine.context import Context
from engine.lib.training.settings import LoopParams, VirtualTokenParams
from engine.registry import stage


class Params(VirtualTokenParams, LoopParams):
    learning_rate: float = Field(
        3e-2,
        gt=0,
        le=10,
        title="Learning rate",
        description="How far each step moves the virtual tokens. They are all that learns, so it is high: 0.003 to 0.3 is usual.",
    )


@stage(
    key="sft_prompt",
    title="Prompt tuning",
    group="train",
    queue="gpu",
    consumes={"model": "hf-model", "dataset": "dataset"},
    produces={"adapter": "soft-prompt"},
    requires=("torch", "transformers", "peft"),
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Learn a few virtual tokens that are read before each question and make the model answer like your pairs; no weight changes."""
    from engine.lib import adapters, models
    from engine.lib.training import data, jobs, loop, starting

    starting.begin(ctx)
    with ctx.phase("prepare", "Reading the pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        pairs = data.read_pairs(ctx, params, tokenizer)
    with ctx.phase("load", "Loading the model"):
        model = models.load_model(ctx.inputs["model"], dtype=models.pick_dtype(params.precision))
        starting.check_model(model, pairs[0], params, virtual_tokens=params.virtual_tokens)
        model = adapters.attach_prompt(model, tokenizer, params)
    job = jobs.adapter_job(
        ctx, params, model, tokenizer, pairs, kind="soft-prompt", method="prompt tuning", virtual_tokens=params.virtual_tokens
    )
    loop.train(ctx, params, job)
