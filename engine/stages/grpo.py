"""Train a model on answers it writes itself, by rules that say how good each is (GRPO)."""

from pydantic import Field

from engine.context import Context
from engine.exits import InputError
from engine.lib.reward_rules import Rule, RuleParams
from engine.lib.training.preference_method import CONSUMES, REQUIRES
from engine.lib.training.rewarded import RewardedParams
from engine.registry import stage


class Params(RewardedParams, RuleParams):
    beta: float = Field(
        0.02,
        ge=0,
        le=10,
        title="Hold to the old answers (beta)",
        description="What it costs to stray from how the model wrote at first. 0 costs nothing and is faster; a little guards against odd "
        "texts that only fulfil the rules.",
    )


@stage(
    key="grpo",
    title="Learn from rules (GRPO)",
    group="train",
    queue="gpu",
    consumes=CONSUMES,
    produces={"adapter": "adapter"},
    requires=(*REQUIRES, "regex"),
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Have the model answer each question several times and move it towards the answers that fulfil your rules better than the others."""
    from engine.lib import models

    models.prepare_libraries()
    from trl import GRPOConfig, GRPOTrainer

    from engine.lib import reward_rules
    from engine.lib.training import questions, rewarded, trainer

    rules = reward_rules.rules_of(params)
    check(params, rules)
    with ctx.phase("prepare", "Reading the questions"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        rows = questions.read_questions(ctx, params, tokenizer)
        reward_rules.try_out(ctx, rules, [row["reference"] for row in rows.train])
    functions = [rewarded.reward_function(rule.name, reward_rules.patient(ctx, rule)) for rule in rules]
    task = rewarded.task(
        ctx, params, rows, tokenizer, GRPOTrainer, GRPOConfig, functions,
        method="grpo", reward_weights=[rule.weight for rule in rules],
    )  # fmt: skip
    trainer.train(ctx, params, task)


def check(params: Params, rules: list[Rule]) -> None:
    """Raise ``InputError`` for rules that cannot be fulfilled, and where there are none."""
    if not rules:
        raise InputError("no_rules", "No rule says what a good answer is.", where="closeness_weight", mend="Set at least one rule.")
    if params.most_words and params.most_words < params.fewest_words:
        raise InputError(
            "length_bounds",
            f"No answer has at least {params.fewest_words} and at most {params.most_words} words.",
            where="most_words",
            mend="Let the most words be more than the fewest.",
        )
