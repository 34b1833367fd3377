"""Train a model on answers it writes itself, by the scores that a reward model gives them (RLOO)."""

from engine.context import Context
from engine.lib.training.preference_method import CONSUMES, REQUIRES
from engine.lib.training.rewarded import RewardedParams
from engine.registry import stage


class Params(RewardedParams):
    pass


@stage(
    key="rloo",
    title="Learn from a reward model (RLOO)",
    group="train",
    queue="gpu",
    consumes=CONSUMES | {"reward": "reward-model"},
    produces={"adapter": "adapter"},
    requires=REQUIRES,
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Have the model answer each question several times and move it towards the answers that a reward model scores above the others."""
    from engine.lib import models

    models.prepare_libraries()
    from trl import RLOOConfig, RLOOTrainer

    from engine.lib import reward_models
    from engine.lib.training import questions, rewarded, trainer

    with ctx.phase("prepare", "Reading the questions and the reward model"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        rows = questions.read_questions(ctx, params, tokenizer)
        dtype = models.pick_dtype(params.precision)
        judge = reward_models.load(ctx.inputs["model"], ctx.inputs["reward"], tokenizer, dtype=dtype)
    task = rewarded.task(
        ctx, params, rows, tokenizer, RLOOTrainer, RLOOConfig, [judge],
        method="rloo", more={"reward_processing_classes": [tokenizer]},
    )  # fmt: skip
    trainer.train(ctx, params, task)
