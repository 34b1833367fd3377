"""What the stages share in which the model writes answers and learns from how they are rewarded. Light at the top."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from engine.context import Context
from engine.lib.training.preference_method import PreferenceParams

if TYPE_CHECKING:
    from engine.lib.training.preferences import Read
    from engine.lib.training.trainer import Task

ADVANCED: dict[str, Any] = {"advanced": True}
# of what TRL logs of the answers written: the others say the same in other words, or how its machinery does
TOLD = ("reward", "reward_std", "kl", "entropy", "completions/mean_length", "completions/max_length", "completions/clipped_ratio")


class RewardedParams(PreferenceParams):
    """The settings of every such stage."""

    learning_rate: float = Field(
        2e-5,
        gt=0,
        le=0.1,
        title="Learning rate",
        description="How far each step moves the adapter. Rewards are noisy: 0.000005 to 0.0001 is usual. Too high, and the model finds "
        "odd texts that happen to be rewarded.",
    )
    batch_size: int = Field(
        4,
        ge=1,
        le=512,
        title="Questions at once",
        description="How many questions a step answers, each several times. When memory does not suffice, fewer are answered at once and "
        "more often.",
    )
    generations: int = Field(
        4,
        ge=2,
        le=64,
        title="Answers to each question",
        description="They are compared with one another. More make each step surer and slower; 4 to 8 is usual.",
    )
    max_new_tokens: int = Field(
        128,
        ge=4,
        le=8192,
        title="Longest answer",
        description="In tokens (a token is about three quarters of a word). Answers are cut there, also while they are judged. Writing "
        "takes most of the time, so keep it as short as good answers allow.",
    )
    temperature: float = Field(
        1.0,
        gt=0,
        le=5,
        title="Temperature",
        json_schema_extra=ADVANCED,
        description="How boldly answers are tried out. 1 is how the model itself would choose; much less, and all answers are the same, so "
        "nothing is learnt.",
    )
    beta: float = Field(
        0.05,
        ge=0,
        le=10,
        title="Hold to the old answers (beta)",
        description="What it costs to stray from how the model wrote at first. 0 costs nothing and is faster, but risks odd texts that "
        "only please the judge.",
    )
    max_length: int = Field(
        1024,
        ge=16,
        le=131072,
        title="Longest text",
        description="In tokens, question and written answer together. Questions that leave no room for the longest answer are left out.",
    )
    eval_rows: int = Field(
        16,
        ge=1,
        title="Validation questions",
        json_schema_extra=ADVANCED,
        description="At most so many validation questions are answered at each look; more is more exact and slower.",
    )


def task(
    ctx: Context,
    params: RewardedParams,
    rows: "Read",
    tokenizer: Any,
    trainer: Any,
    config: Any,
    rewards: Sequence[Any],
    *,
    method: str,
    more: dict[str, Any] | None = None,
    **options: Any,
) -> "Task":
    """Training a LoRA adapter on answers to ``rows`` that the library's ``trainer`` has the model write and ``rewards`` score.

    ``options`` are its ``config``'s, ``more`` its own arguments. As many answers are written at once as are learnt from at once.
    """
    from engine.lib.training import data, preference_method
    from engine.lib.training.trainer import Task

    return Task(
        trainer=writing(trainer),
        config=partial(_in_answers, config, params.generations),
        options={
            "num_generations": params.generations,
            "num_generations_eval": 1,
            "steps_per_generation": 1,
            "max_completion_length": params.max_new_tokens,
            "temperature": params.temperature,
            "beta": params.beta,
            "disable_dropout": False,
        }
        | options,
        load=lambda: preference_method.start(ctx, params, rows),
        tokenizer=tokenizer,
        train=rows.train,
        validation=rows.validation,
        general=data.read_general(ctx, params, tokenizer),
        facts={"method": method} | preference_method.shape(ctx, params) | preference_method.made_from(ctx),
        unit="questions",
        more={"reward_funcs": list(rewards)} | (more or {}),
        step_on_longest=_step_on_longest,
        judge="eval_reward",
        figures={"eval_reward": "eval_reward"},
    )


def _in_answers(config: Any, generations: int, **arguments: Any) -> Any:
    """The library's ``config``, which counts answers where our settings count questions."""
    for name in ("per_device_train_batch_size", "per_device_eval_batch_size"):
        arguments[name] *= generations
    return config(**arguments)


def _step_on_longest(trainer: Any) -> None:
    """On the longest questions, with answers as long as any may become."""
    count = trainer.num_generations
    rows = sorted(trainer.train_dataset, key=lambda row: -len(row["question_ids"]))[: trainer.args.per_device_train_batch_size // count]
    trainer.generation_config.min_new_tokens = trainer.generation_config.max_new_tokens
    trainer.training_step(trainer.model_wrapped, [row for row in rows for _ in range(count)], None)
    trainer.generation_config.min_new_tokens = None
    trainer._step, trainer._buffered_inputs = 0, None  # it counts from the first real step


def writing(trainer: Any) -> Any:
    """The class ``trainer``, telling of written answers in our words, answering validation questions with the same luck each time, and
    asking the questions of each pass in an order that depends on nothing but the seed and the pass.
    """

    class Writing(trainer):
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            sampler = super()._get_train_sampler(dataset)
            # By itself it draws every pass from random numbers that no checkpoint holds. accelerate's loaders call this before each pass,
            # also where a resumed one skips what it has learnt from; the first pass keeps TRL's own order.
            sampler.set_epoch = lambda epoch: sampler.generator.manual_seed(sampler.seed + epoch)
            return sampler

        def evaluate(self, *arguments: Any, **named: Any) -> Any:
            import torch

            torch.manual_seed(self.args.seed)  # the watch puts the training's random numbers back afterwards
            return super().evaluate(*arguments, **named)

        def _compute_loss(self, model: Any, inputs: Any) -> Any:
            import torch

            if model.training:
                whole = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
                self.watch.count({"attention_mask": whole, "completion_mask": inputs["completion_mask"]})
            return super()._compute_loss(model, inputs)

        def log(self, logs: dict[str, float], *arguments: Any) -> None:
            mode = "train" if self.model.training else "eval"
            collected = self._metrics[mode]
            told = {name: collected[name] for name in TOLD if name in collected}
            told |= {f"reward_{name}": values for name, values in _of_rules(collected).items()}
            collected.clear()
            collected.update(told)
            if "eval_loss" in logs:  # about zero whatever is learnt: answers are compared with one another
                logs = {name: value for name, value in logs.items() if name != "eval_loss"}
            super().log(logs, *arguments)

    return Writing


def _of_rules(collected: dict[str, list[float]]) -> dict[str, list[float]]:
    """Rule → its means, where several make up the reward."""
    found = {name.split("/")[1]: values for name, values in collected.items() if name.startswith("rewards/") and name.endswith("/mean")}
    return found if len(found) > 1 else {}


def reward_function(name: str, score: Callable[[str, str], float]) -> Callable[..., list[float]]:
    """``score(answer, reference answer)`` in the form that TRL's trainers ask for; ``name`` is how they log it."""

    def reward(completions: list[list[dict[str, str]]], reference: list[str], **_: Any) -> list[float]:
        return [score(written[-1]["content"], wanted) for written, wanted in zip(completions, reference, strict=True)]

    reward.__name__ = name
    return reward
