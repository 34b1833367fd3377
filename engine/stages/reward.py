"""Train a reward model: a judge that gives good answers higher scores than worse ones."""

from typing import Any

from pydantic import Field

from engine.context import Context
from engine.lib.training.preference_method import CONSUMES, REQUIRES, PreferenceParams
from engine.registry import stage

NOT_ASKED: dict[str, Any] = {"internal": True}
NONE = "A judge writes nothing, so there is no loss on general texts to look at."


class Params(PreferenceParams):
    learning_rate: float = Field(
        1e-4,
        gt=0,
        le=0.1,
        title="Learning rate",
        description="How far each step moves the judge. 0.00005 to 0.0005 is usual.",
    )
    center: float = Field(
        0.01,
        ge=0,
        le=10,
        title="Keep scores around zero",
        json_schema_extra={"advanced": True},
        description="Only differences between scores are learnt; this keeps the scores themselves from drifting away. 0: not at all.",
    )
    general_rows: int = Field(0, ge=0, title="General texts", json_schema_extra=NOT_ASKED, description=NONE)
    general_budget: float = Field(0.1, ge=0, title="Budget for forgetting", json_schema_extra=NOT_ASKED, description=NONE)
    stop_over_budget: bool = Field(False, title="Stop when too much is forgotten", json_schema_extra=NOT_ASKED, description=NONE)


@stage(
    key="reward",
    title="Train a reward model",
    group="train",
    queue="gpu",
    consumes=CONSUMES,
    produces={"adapter": "reward-model"},
    requires=REQUIRES,
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Train a judge that scores the good answer of each pair above the worse one. Learning from its scores (RLOO) comes after it."""
    from engine.lib import models

    models.prepare_libraries()
    from trl import RewardConfig, RewardTrainer

    from engine.lib import reward_models
    from engine.lib.training import preference_method, preferences, starting, trainer

    with ctx.phase("prepare", "Reading the preference pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        rows = preferences.read_pairs(ctx, params, tokenizer)

    def load() -> tuple[object, None]:
        starting.begin(ctx)  # the head is drawn by the seed
        model = reward_models.scoring_model(ctx.inputs["model"], tokenizer, dtype=models.pick_dtype(params.precision))
        starting.check_length(model, [rows.longest], params)
        return reward_models.attach(model, params, ctx.inputs.get("adapter")), None

    task = trainer.Task(
        trainer=reward_models.weighed(RewardTrainer),
        config=RewardConfig,
        options={"max_length": params.max_length, "disable_dropout": False, "center_rewards_coefficient": params.center or None},
        load=load,
        tokenizer=tokenizer,
        train=[preferences.as_tokens(row, tokenizer, params.max_length) for row in rows.train],
        validation=[preferences.as_tokens(row, tokenizer, params.max_length) for row in rows.validation],
        general=[],
        facts={"method": "reward model"} | preference_method.shape(ctx, params) | preference_method.made_from(ctx),
        kind="reward-model",
        figures={"accuracy": "eval_accuracy"},
    )
    trainer.train(ctx, params, task)
