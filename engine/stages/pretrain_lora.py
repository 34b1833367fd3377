"""Go on pre-training a model on whole documents with LoRA."""

from dataclasses import replace

from pydantic import Field

from engine.context import Context
from engine.lib.training.pretraining import PretrainParams
from engine.lib.training.settings import LoraParams
from engine.registry import stage


class Params(LoraParams, PretrainParams):
    learning_rate: float = Field(
        2e-4,
        gt=0,
        le=0.1,
        title="Learning rate",
        description="How far each step moves the adapter. 0.0001 to 0.0005 is usual.",
    )
    rank: int = Field(
        32,
        ge=1,
        le=512,
        title="Adapter rank",
        description="The adapter's capacity. Running text teaches more than pairs do: 32 to 128 is usual; higher costs memory and time.",
    )
    alpha: int = Field(
        64,
        ge=1,
        le=2048,
        title="Adapter strength (alpha)",
        json_schema_extra={"advanced": True},
        description="The adapter's weight relative to its rank. Twice the rank is a good rule.",
    )


@stage(
    key="pretrain_lora",
    title="Continue pre-training with LoRA",
    group="train",
    queue="gpu",
    consumes={"model": "hf-model", "chunks": "chunks", "text": "text?", "dataset": "dataset?"},
    produces={"adapter": "adapter"},
    requires=("torch", "transformers", "peft"),
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Let a model read your documents as it read the texts it was made from, and keep what it learns in a small adapter: less is learnt
    and less forgotten than by training all weights. Embeddings and output head stay as they are."""
    from engine.lib import adapters, models
    from engine.lib.training import jobs, loop, penalties, pretraining, starting
    from engine.lib.training.weights import Masters

    starting.begin(ctx)
    with ctx.phase("prepare", "Reading the documents"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        blocks = pretraining.read_blocks(ctx, params, tokenizer)
    with ctx.phase("load", "Loading the model"):
        model = models.load_model(ctx.inputs["model"], dtype=models.pick_dtype(params.precision))
        starting.check_model(model, blocks[0], params)
        model = adapters.attach_lora(model, params)
        masters = Masters(model)
    facts = {"method": "pretrain_lora", "documents": params.documents} | jobs.lora_facts(params)
    job = jobs.adapter_job(ctx, params, model, tokenizer, blocks, masters, **facts)
    penalty = penalties.against_forgetting(ctx, params, model, masters, tokenizer)
    loop.train(ctx, params, replace(job, penalty=penalty, unit="blocks"))
