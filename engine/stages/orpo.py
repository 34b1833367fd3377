"""Train a model on good answers and away from worse ones in one go, without a reference model (ORPO)."""

from pydantic import Field

from engine.context import Context
from engine.lib.training.preference_method import CONSUMES, REQUIRES, PreferenceParams
from engine.registry import stage


class Params(PreferenceParams):
    beta: float = Field(
        0.1,
        gt=0,
        le=10,
        title="Weight of the preference (lambda)",
        description="How much turning away from the worse answers counts beside learning the good ones. 0.1 is usual.",
    )


@stage(
    key="orpo",
    title="Learn answers and preferences at once (ORPO)",
    group="train",
    queue="gpu",
    consumes=CONSUMES,
    produces={"adapter": "adapter"},
    requires=REQUIRES,
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Teach a model the good answers and turn it away from the worse ones in the same training; no fine-tuning is needed before."""
    from engine.lib import models

    models.prepare_libraries()
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    from engine.lib.training import preference_method, preferences, trainer

    with ctx.phase("prepare", "Reading the preference pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        rows = preferences.read_pairs(ctx, params, tokenizer)
    task = preference_method.task(ctx, params, rows, tokenizer, ORPOTrainer, ORPOConfig, method="orpo", beta=params.beta)
    trainer.train(ctx, params, task)
