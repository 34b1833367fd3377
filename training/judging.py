"""By what the runs of a sweep are judged, and which settings keep them from being compared by it."""

from collections.abc import Iterable
from dataclasses import dataclass

GENERAL = "general_loss"
# Settings that change what is measured at a look at the validation pairs: on what, the loss of a preference method, the reward of answers
# (which are drawn at the temperature)
MEASURED_ON = {"eval_rows", "max_length", "validation_share", "documents"}
LOSS_ITSELF = {"beta", "loss", "margin", "balance", "plain_pairs", "center"}
REWARD_ITSELF = {"temperature", "max_new_tokens", "fewest_words", "most_words"}


@dataclass(frozen=True)
class Judge:
    """The metric that runs of a sweep are judged by, and those that are drawn."""

    metric: str
    title: str
    higher: bool
    drawn: tuple[str, ...]

    def best(self, values: Iterable[float]) -> float:
        return max(values) if self.higher else min(values)

    def depends_on(self, name: str, *, preferences: bool) -> bool:
        """Whether the setting ``name`` changes what the metric means. ``preferences``: of a method that learns from those."""
        if self.higher:
            return name in MEASURED_ON | REWARD_ITSELF or name.endswith("_weight")
        return name in MEASURED_ON or (preferences and name in LOSS_ITSELF)


BY_LOSS = Judge("eval_loss", "Validation loss", False, ("train_loss", "eval_loss", GENERAL))
BY_REWARD = Judge("eval_reward", "Validation reward", True, ("reward", "eval_reward", GENERAL))
