"""Train a model to prefer good answers to worse ones, compared with how it answered before (DPO, IPO)."""

from typing import Literal

from pydantic import Field

from engine.context import Context
from engine.lib.training.preference_method import CONSUMES, REQUIRES, PreferenceParams
from engine.registry import stage


class Params(PreferenceParams):
    loss: Literal["sigmoid", "ipo"] = Field(
        "sigmoid",
        title="Way of comparing",
        json_schema_extra={"labels": {"sigmoid": "DPO: widen the gap between the answers", "ipo": "IPO: widen it so far and no further"}},
        description="DPO is the usual choice. IPO stops at a fixed gap and so learns less by heart from few or certain pairs.",
    )
    beta: float = Field(
        0.1,
        gt=0,
        le=10,
        title="Hold to the old answers (beta)",
        description="How strongly the model is held to what it said before. 0.1 is usual; less changes it more, up to 0.5 is careful.",
    )


@stage(
    key="dpo",
    title="Learn preferences (DPO)",
    group="train",
    queue="gpu",
    consumes=CONSUMES,
    produces={"adapter": "adapter"},
    requires=REQUIRES,
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Teach a model to prefer the good answer of each pair to the worse one, without straying far from how it answered before."""
    from engine.lib import models

    models.prepare_libraries()
    from trl import DPOConfig, DPOTrainer

    from engine.lib.training import preference_method, preferences, trainer

    with ctx.phase("prepare", "Reading the preference pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        rows = preferences.read_pairs(ctx, params, tokenizer)
    task = preference_method.task(
        ctx, params, rows, tokenizer, DPOTrainer, DPOConfig,
        method="ipo" if params.loss == "ipo" else "dpo", loss_type=[params.loss], beta=params.beta,
    )  # fmt: skip
    trainer.train(ctx, params, task)
