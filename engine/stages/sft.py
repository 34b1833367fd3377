"""Fine-tune a model on question-answer pairs with LoRA."""

from dataclasses import replace

from engine.context import Context
from engine.lib.training.settings import ForgettingParams, LoopParams, LoraParams, TeamParams
from engine.registry import stage


class Params(LoraParams, LoopParams, ForgettingParams, TeamParams):
    pass


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
    from engine.lib import adapters, models
    from engine.lib.training import data, jobs, loop, penalties, starting

    starting.begin(ctx)
    with ctx.phase("prepare", "Reading the pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        pairs = data.read_pairs(ctx, params, tokenizer)
    with ctx.phase("load", "Loading the model"):
        model = models.load_model(ctx.inputs["model"], dtype=models.pick_dtype(params.precision))
        starting.check_model(model, pairs[0], params)
        model = adapters.attach_lora(model, params)
        masters = starting.masters_of(ctx, params, model)
    job = jobs.adapter_job(
        ctx, params, model, tokenizer, pairs, masters, method="dora" if params.dora else "lora", **jobs.lora_facts(params)
    )
    penalty = penalties.against_forgetting(ctx, params, model, masters, tokenizer)
    loop.train(ctx, params, replace(job, penalty=penalty))
