"""Train a model on answers judged good or bad, each by itself (KTO)."""

from dataclasses import replace

from pydantic import Field

from engine.context import Context
from engine.lib.training.preference_method import CONSUMES, REQUIRES, PreferenceParams
from engine.registry import stage


class Params(PreferenceParams):
    batch_size: int = Field(
        8,
        ge=2,
        le=512,
        title="Answers at once",
        description="How many answers the model reads in one go. At least 2, because each is compared with its neighbour; 8 is good.",
    )
    beta: float = Field(
        0.1,
        gt=0,
        le=10,
        title="Hold to the old answers (beta)",
        description="How strongly the model is held to what it said before. 0.1 is usual; less changes it more.",
    )
    plain_pairs: bool = Field(
        True,
        title="Count all pairs as good",
        description="Pairs that have no worse answer are good answers as well. Without this, only pairs with a worse answer are used.",
    )
    balance: bool = Field(
        True,
        title="Good and bad weigh the same",
        json_schema_extra={"advanced": True},
        description="Gives the rarer kind of answer as much weight altogether as the commoner one.",
    )


@stage(
    key="kto",
    title="Learn from good and bad answers (KTO)",
    group="train",
    queue="gpu",
    consumes=CONSUMES,
    produces={"adapter": "adapter"},
    requires=REQUIRES,
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Teach a model to give good answers more and bad answers less often; they need not answer the same question."""
    from engine.lib import models

    models.prepare_libraries()
    from trl import KTOConfig, KTOTrainer

    from engine.lib.training import preference_method, preferences, trainer

    with ctx.phase("prepare", "Reading the judged answers"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        rows = preferences.read_judged(ctx, params, tokenizer, plain=params.plain_pairs)
    good = sum(row["label"] for row in rows.train)
    bad = len(rows.train) - good
    ctx.log(f"{good} good answers, {bad} bad ones")
    task = preference_method.task(
        ctx, params, rows, tokenizer, KTOTrainer, KTOConfig, method="kto", beta=params.beta,
        desirable_weight=max(1.0, bad / max(good, 1)) if params.balance else 1.0,
        undesirable_weight=max(1.0, good / max(bad, 1)) if params.balance else 1.0,
    )  # fmt: skip
    trainer.train(ctx, params, replace(task, fewest=2, unit="answers"))
