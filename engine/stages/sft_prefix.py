"""Prefix tuning: learn what every layer of the model looks back at before each question."""

from typing import Literal

from pydantic import Field

from engine.context import Context
from engine.lib.training.settings import ADVANCED, LoopParams, VirtualTokenParams
from engine.registry import stage


class Params(VirtualTokenParams, LoopParams):
    learning_rate: float = Field(
        1e-2,
        gt=0,
        le=10,
        title="Learning rate",
        description="How far each step moves the prefix. 0.003 to 0.03 is usual.",
    )
    gradient_checkpointing: Literal[False] = Field(
        False,
        title="Save memory",
        json_schema_extra=ADVANCED | {"internal": True},
        description="Not possible here: computing anew would lose the prefix.",
    )


@stage(
    key="sft_prefix",
    title="Prefix tuning",
    group="train",
    queue="gpu",
    consumes={"model": "hf-model", "dataset": "dataset"},
    produces={"adapter": "soft-prompt"},
    requires=("torch", "transformers", "peft"),
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Learn what every layer looks back at before each question: more room than prompt tuning, and still no weight changes."""
    from engine.lib import adapters, models
    from engine.lib.training import data, jobs, loop, starting

    starting.begin(ctx)
    with ctx.phase("prepare", "Reading the pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        pairs = data.read_pairs(ctx, params, tokenizer)
    with ctx.phase("load", "Loading the model"):
        model = models.load_model(ctx.inputs["model"], dtype=models.pick_dtype(params.precision))
        starting.check_model(model, pairs[0], params, virtual_tokens=params.virtual_tokens)
        model = adapters.attach_prefix(model, tokenizer, params)
    job = jobs.adapter_job(
        ctx, params, model, tokenizer, pairs, kind="soft-prompt", method="prefix tuning", virtual_tokens=params.virtual_tokens
    )
    loop.train(ctx, params, job)
