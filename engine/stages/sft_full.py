"""Fine-tune every weight of a model on question-answer pairs."""

from dataclasses import replace

from pydantic import Field

from engine.context import Context
from engine.lib.training.settings import ForgettingParams, LoopParams, TeamParams
from engine.registry import stage


class Params(LoopParams, ForgettingParams, TeamParams):
    learning_rate: float = Field(
        2e-5,
        gt=0,
        le=0.1,
        title="Learning rate",
        description="How far each step moves the model. Every weight moves, so it is much lower than for adapters: 0.00001 to 0.00005 is "
        "usual; higher forgets more.",
    )


@stage(
    key="sft_full",
    title="Fine-tune all weights",
    group="train",
    queue="gpu",
    consumes={"model": "hf-model", "dataset": "dataset"},
    produces={"model": "hf-model"},
    requires=("torch", "transformers"),
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Teach a model your pairs by moving all of its weights: the most it can adapt, and the most it can forget."""
    from engine.lib import models
    from engine.lib.training import data, jobs, loop, penalties, starting

    starting.begin(ctx)
    with ctx.phase("prepare", "Reading the pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        pairs = data.read_pairs(ctx, params, tokenizer)
    with ctx.phase("load", "Loading the model"):
        model = models.load_model(ctx.inputs["model"], dtype=models.pick_dtype(params.precision))
        starting.check_model(model, pairs[0], params)
        masters = starting.masters_of(ctx, params, model)
    job = jobs.model_job(ctx, params, model, tokenizer, pairs, masters, method="full")
    penalty = penalties.against_forgetting(ctx, params, model, masters, tokenizer)
    loop.train(ctx, params, replace(job, penalty=penalty))
