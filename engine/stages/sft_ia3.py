"""Fine-tune with (IA)³: factors for keys, values and feed-forward layers."""

from pydantic import Field

from engine.context import Context
from engine.lib.training.settings import LoopParams
from engine.registry import stage


class Params(LoopParams):
    learning_rate: float = Field(
        1e-2,
        gt=0,
        le=0.1,
        title="Learning rate",
        description="How far each step moves the factors. They are few and begin at 1, so it is higher than for other methods: "
        "0.003 to 0.02 is usual.",
    )


@stage(
    key="sft_ia3",
    title="Fine-tune with IA3",
    group="train",
    queue="gpu",
    consumes={"model": "hf-model", "dataset": "dataset"},
    produces={"adapter": "adapter"},
    requires=("torch", "transformers", "peft"),
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Teach a model your pairs by learning how strongly its own signals count: the smallest adapter there is, for few pairs."""
    from engine.lib import adapters, models
    from engine.lib.training import data, jobs, loop, starting

    starting.begin(ctx)
    with ctx.phase("prepare", "Reading the pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        pairs = data.read_pairs(ctx, params, tokenizer)
    with ctx.phase("load", "Loading the model"):
        model = models.load_model(ctx.inputs["model"], dtype=models.pick_dtype(params.precision))
        starting.check_model(model, pairs[0], params)
        model = adapters.attach_ia3(model)
    loop.train(ctx, params, jobs.adapter_job(ctx, params, model, tokenizer, pairs, method="ia3"))
