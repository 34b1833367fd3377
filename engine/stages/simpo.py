"""Train a model to find good answers likelier than worse ones by a margin, without a reference model (SimPO)."""

from pydantic import Field

from engine.context import Context
from engine.lib.training.preference_method import CONSUMES, REQUIRES, PreferenceParams
from engine.registry import stage


class Params(PreferenceParams):
    beta: float = Field(
        2.0,
        gt=0,
        le=100,
        title="Sharpness (beta)",
        description="How sharply a difference between the answers counts. 2 to 10 is usual.",
    )
    margin: float = Field(
        1.0,
        ge=0,
        le=100,
        title="Margin (gamma)",
        description="By how much the good answer shall lead. About half the sharpness is usual; 0 asks only that it lead at all.",
    )


@stage(
    key="simpo",
    title="Learn preferences without a reference (SimPO)",
    group="train",
    queue="gpu",
    consumes=CONSUMES,
    produces={"adapter": "adapter"},
    requires=REQUIRES,
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Teach a model to find the good answer of each pair likelier, word for word, than the worse one."""
    from engine.lib import models

    models.prepare_libraries()
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    from engine.lib.training import preference_method, preferences, trainer

    with ctx.phase("prepare", "Reading the preference pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        rows = preferences.read_pairs(ctx, params, tokenizer)
    task = preference_method.task(
        ctx, params, rows, tokenizer, CPOTrainer, CPOConfig,
        method="simpo", loss_type="simpo", cpo_alpha=0.0, beta=params.beta, simpo_gamma=params.margin,
    )  # fmt: skip
    trainer.train(ctx, params, task)
