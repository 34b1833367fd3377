"""Fine-tune with LoRA a model that is held in 4 or 8 bits (QLoRA)."""

from typing import Literal

from pydantic import Field

from engine.context import Context
from engine.lib.training.settings import ADVANCED, LoopParams, LoraParams
from engine.registry import stage


class Params(LoraParams, LoopParams):
    bits: Literal["nf4", "int8"] = Field(
        "nf4",
        title="Base model held in",
        json_schema_extra={"labels": {"nf4": "4 bits (NF4)", "int8": "8 bits"}},
        description="4 bits take a quarter of the memory and lose a little; 8 bits take half and lose almost nothing.",
    )
    double: bool = Field(
        True,
        title="Quantise the scales as well",
        json_schema_extra=ADVANCED,
        description="For 4 bits: saves another 5% of the model's memory at no loss that could be measured.",
    )


@stage(
    key="sft_qlora",
    title="Fine-tune with QLoRA",
    group="train",
    queue="gpu",
    consumes={"model": "hf-model", "dataset": "dataset"},
    produces={"adapter": "adapter"},
    requires=("torch", "transformers", "peft", "bitsandbytes"),
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Teach a model your pairs by a small adapter, while the model itself is held in 4 or 8 bits to save memory."""
    from engine.lib import adapters, low_bit, models
    from engine.lib.training import data, jobs, loop, starting

    starting.begin(ctx)
    with ctx.phase("prepare", "Reading the pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        pairs = data.read_pairs(ctx, params, tokenizer)
    with ctx.phase("load", "Loading the model in fewer bits"):
        dtype = models.pick_dtype(params.precision)
        model = low_bit.load(ctx.inputs["model"], bits=params.bits, double=params.double, dtype=dtype)
        starting.check_model(model, pairs[0], params)
        ctx.log(f"The model takes {model.get_memory_footprint() / 1e6:,.0f} MB")
        model = adapters.attach_lora(model, params)
    job = jobs.adapter_job(ctx, params, model, tokenizer, pairs, method="qlora", bits=params.bits, **jobs.lora_facts(params))
    loop.train(ctx, params, job)
