"""Go on pre-training all weights of a model on whole documents."""

from dataclasses import replace

from pydantic import Field

from engine.context import Context
from engine.lib.training.pretraining import PretrainParams
from engine.registry import stage


class Params(PretrainParams):
    learning_rate: float = Field(
        2e-5,
        gt=0,
        le=0.1,
        title="Learning rate",
        description="How far each step moves the model. 0.00001 to 0.00005 is usual; higher learns faster and forgets more.",
    )
    vocabulary_rate: float = Field(
        0.1,
        ge=0,
        le=1,
        title="Learning rate of the vocabulary",
        json_schema_extra={"advanced": True},
        description="As a share of the learning rate, for embeddings and output head: they hold what the model knows of all words, and few "
        "of them are in your texts. 0 leaves them as they are.",
    )


@stage(
    key="pretrain",
    title="Continue pre-training",
    group="train",
    queue="gpu",
    consumes={"model": "hf-model", "chunks": "chunks", "text": "text?", "dataset": "dataset?"},
    produces={"model": "hf-model"},
    requires=("torch", "transformers"),
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Let a model read your documents as it read the texts it was made from: it learns the domain's language, not to answer. All of its
    weights are trained."""
    from engine.lib import models
    from engine.lib.training import jobs, loop, penalties, pretraining, starting
    from engine.lib.training.weights import Masters

    starting.begin(ctx)
    with ctx.phase("prepare", "Reading the documents"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        blocks = pretraining.read_blocks(ctx, params, tokenizer)
    with ctx.phase("load", "Loading the model"):
        model = models.load_model(ctx.inputs["model"], dtype=models.pick_dtype(params.precision))
        starting.check_model(model, blocks[0], params)
        if params.vocabulary_rate == 0:
            for weight in pretraining.vocabulary(model).values():
                weight.requires_grad_(False)
        masters = Masters(model)
    job = jobs.model_job(ctx, params, model, tokenizer, blocks, masters, method="pretrain", documents=params.documents)
    penalty = penalties.against_forgetting(ctx, params, model, masters, tokenizer)
    groups = pretraining.two_rates(model, masters, params.vocabulary_rate)
    loop.train(ctx, params, replace(job, penalty=penalty, groups=groups, unit="blocks"))
