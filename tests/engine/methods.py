"""The training methods as a table: what `test_every_method.py` runs each of them with. A method is one row."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.engine.stage_running import Outcome

PAIRS = {"model": "base_model", "dataset": "topics"}
DOCUMENTS = {"model": "base_model", "chunks": "reference"}
TAUGHT = PAIRS | {"teacher": "teacher"}
WRITTEN = {"generations": 4, "max_new_tokens": 12, "max_steps": 3, "eval_every": 3, "eval_rows": 4, "learning_rate": 1e-3}
FEW_STEPS = {
    "max_steps": 6, "epochs": 9, "batch_size": 2, "max_length": 160, "warmup_ratio": 0.0, "schedule": "constant", "general_rows": 0,
    "eval_rows": 2, "eval_every": 6,
}  # fmt: skip


PREFERENCES = {"model": "base_model", "dataset": "preferences"}


def rises(metric: str) -> Callable[[Outcome], None]:
    """Asserts that ``metric`` is higher at the last look than at the first."""

    def check(outcome: Outcome) -> None:
        values = list(outcome.metric(metric).values())
        assert len(values) > 1 and values[-1] > values[0], values

    return check


@dataclass(frozen=True)
class Method:
    """``inputs`` maps a role to the name of the fixture that is its folder; the base model's is ``base_model``.

    ``moved``, where the loss on held-out answers is not what the method is about, asserts on the outcome that the method's own
    quantity moved (a preference margin, the distance to a teacher, a reward). ``params`` come on top of `FEW_STEPS`.
    """

    stage: str
    inputs: dict[str, str] = field(default_factory=lambda: dict(PAIRS))
    params: dict[str, Any] = field(default_factory=dict)
    moved: Callable[[Outcome], None] | None = None
    name: str = ""  # to tell rows of one stage apart

    def __str__(self) -> str:
        return self.name or self.stage


def less(metric: str, share: float = 0.05) -> Callable[[Outcome], None]:
    """Asserts that the last value of ``metric`` is at least that ``share`` below the first."""

    def moved(outcome: Outcome) -> None:
        values = [value for _, value in sorted(outcome.metric(metric).items())]
        assert values[-1] < (1 - share) * values[0], values

    return moved


METHODS = [
    Method("sft"),
    Method("sft", params={"dora": True, "rslora": True, "rank": 64}, name="sft with DoRA and rsLoRA"),
    Method("sft", params={"target": "attention"}, name="sft of attention alone"),
    Method("sft_full", params={"learning_rate": 1e-4}),
    Method("sft_full", params={"learning_rate": 1e-4, "hold": "ewc", "hold_strength": 0.01, "fisher_rows": 4}, name="sft_full held by EWC"),
    Method("sft_qlora"),
    Method("sft_qlora", params={"bits": "int8"}, name="sft_qlora in 8 bits"),
    Method("sft_ia3", params={"learning_rate": 2e-2}),
    # it learns slowest: a few vectors far from the answers
    Method(
        "sft_prompt",
        params={"max_steps": 52, "eval_every": 52, "learning_rate": 0.3, "virtual_tokens": 8},
        moved=less("eval_loss"),
    ),
    Method("sft_prefix"),
    Method("pretrain", inputs=DOCUMENTS, params={"learning_rate": 2e-4, "batch_size": 4}, moved=less("eval_loss")),
    Method("pretrain_lora", inputs=DOCUMENTS, params={"learning_rate": 2e-3, "batch_size": 4}, moved=less("eval_loss")),
    Method("distill", inputs=TAUGHT, params={"teacher_share": 1.0, "learning_rate": 1e-4}, moved=less("eval_kl")),
    Method("distill_lora", inputs=TAUGHT, params={"teacher_share": 1.0}, moved=less("eval_kl")),
    Method("dpo", PREFERENCES, moved=rises("eval_rewards_margins")),
    Method("dpo", PREFERENCES, {"loss": "ipo", "learning_rate": 5e-4}, moved=rises("eval_rewards_margins"), name="dpo as IPO"),
    Method("orpo", PREFERENCES, {"learning_rate": 5e-4, "beta": 1.0}, moved=rises("eval_log_odds_chosen")),
    Method("kto", PREFERENCES, {"learning_rate": 5e-4}, moved=rises("eval_rewards_margins")),
    Method("simpo", PREFERENCES, moved=rises("eval_rewards_margins")),
    Method("reward", PREFERENCES, {"learning_rate": 5e-4}, moved=rises("eval_margin")),
    Method("rloo", PAIRS | {"reward": "reward_model"}, WRITTEN, moved=rises("eval_reward")),
    Method("grpo", PAIRS, WRITTEN | {"must_have": "Python", "closeness_weight": 0.0}, moved=rises("eval_reward")),
]
