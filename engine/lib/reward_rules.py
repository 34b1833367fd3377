"""The rules a person sets for GRPO, as settings and as functions of answers. Light at the top: a stage's form is made from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, field_validator

from engine.context import Context
from engine.exits import InputError
from engine.lib import json_shape, rewards
from engine.registry import StageParams

ADVANCED: dict[str, Any] = {"advanced": True}
TRIED = 500  # answers of the dataset that rules are tried on
WEIGHT = "How much this rule counts beside the others."


@dataclass(frozen=True)
class Rule:
    """``score(answer, reference answer)`` is from 0 to 1. ``setting`` asks for it; ``title``: what it looks at, in words."""

    name: str
    setting: str
    title: str
    weight: float
    score: Callable[[str, str], float]


class RuleParams(StageParams):
    """What is rewarded. A rule that is left empty is not used."""

    pattern: str = Field(
        "",
        max_length=rewards.LONGEST_PATTERN,
        title="Required form",
        json_schema_extra={"lines": 2},
        description="A regular expression that the whole answer must match, for example “Answer: .+” followed by a line “Source: .+”. "
        "Empty: any form.",
    )
    pattern_weight: float = Field(1.0, gt=0, le=100, title="Weight of the form", json_schema_extra=ADVANCED, description=WEIGHT)
    json_form: str = Field(
        "",
        max_length=5000,
        title="JSON of this shape",
        json_schema_extra={"lines": 4},
        description='A JSON schema of the whole answer, for example {"type": "object", "required": ["name"]}. It may use type, properties, '
        "required, additionalProperties, items and enum. Other JSON earns half. Empty: no JSON is asked for.",
    )
    json_weight: float = Field(1.0, gt=0, le=100, title="Weight of the JSON", json_schema_extra=ADVANCED, description=WEIGHT)
    must_have: str = Field(
        "",
        max_length=5000,
        title="Terms that must occur",
        json_schema_extra={"lines": 3},
        description="One a line, as whole words, in upper or lower case. Each that occurs earns its share.",
    )
    must_have_weight: float = Field(1.0, gt=0, le=100, title="Weight of these terms", json_schema_extra=ADVANCED, description=WEIGHT)
    must_not_have: str = Field(
        "",
        max_length=5000,
        title="Terms that must not occur",
        json_schema_extra={"lines": 3},
        description="One a line. Each that occurs costs its share.",
    )
    must_not_have_weight: float = Field(
        1.0, gt=0, le=100, title="Weight of the terms to avoid", json_schema_extra=ADVANCED, description=WEIGHT
    )
    fewest_words: int = Field(0, ge=0, le=10_000, title="Fewest words", description="Shorter answers earn less. 0: no such bound.")
    most_words: int = Field(0, ge=0, le=10_000, title="Most words", description="Longer answers earn less. 0: no such bound.")
    length_weight: float = Field(1.0, gt=0, le=100, title="Weight of the length", json_schema_extra=ADVANCED, description=WEIGHT)
    closeness_weight: float = Field(
        1.0,
        ge=0,
        le=100,
        title="Weight of closeness to the dataset's answer",
        description="Rewards the words that an answer shares with the one in the dataset (token F1), so that form is not won at the cost "
        "of content. 0: not looked at.",
    )

    @field_validator("pattern")
    @classmethod
    def _usable_pattern(cls, pattern: str) -> str:
        pattern = pattern.strip()  # answers are matched without white space around them
        rewards.check_pattern(pattern)
        return pattern

    @field_validator("json_form")
    @classmethod
    def _usable_schema(cls, text: str) -> str:
        if text.strip():
            json_shape.parse(text)
        return text


def rules_of(params: RuleParams) -> list[Rule]:
    """The rules that are set. `rewards.TooSlow` comes from the score of a pattern that comes to no end."""
    from engine.lib.overlap import token_f1

    found: list[Rule] = []

    def add(name: str, setting: str, title: str, weight: float, score: Callable[[str, str], float]) -> None:
        found.append(Rule(name, setting, title, weight, score))

    if params.pattern:
        pattern = rewards.Pattern(params.pattern)
        add("form", "pattern", "the form", params.pattern_weight, lambda said, _: float(pattern.matches(said)))
    if params.json_form.strip():
        schema = json_shape.parse(params.json_form)
        add("json", "json_form", "the JSON", params.json_weight, lambda said, _: rewards.json_form(said, schema))
    if wanted := rewards.terms(params.must_have):
        title = "the terms that must occur"
        add("terms", "must_have", title, params.must_have_weight, lambda said, _: rewards.share_present(said, wanted))
    if unwanted := rewards.terms(params.must_not_have):
        title = "the terms that must not occur"
        add("avoided", "must_not_have", title, params.must_not_have_weight, lambda said, _: rewards.share_absent(said, unwanted))
    if params.fewest_words or params.most_words:
        fewest, most = params.fewest_words, params.most_words
        add("length", "fewest_words", "the length", params.length_weight, lambda said, _: rewards.within_length(said, fewest, most))
    if params.closeness_weight:
        add("closeness", "closeness_weight", "closeness to the dataset's answer", params.closeness_weight, token_f1)
    return found


def try_out(ctx: Context, rules: Sequence[Rule], answers: Sequence[str]) -> None:
    """Say how the dataset's own ``answers`` (the first of them) fare by each rule, and see that none, nor odd texts, keep it busy for long.

    Raises ``InputError`` for a pattern that comes to no end.
    """
    answers = answers[:TRIED]
    for rule in rules:
        try:
            for text in rewards.TRIALS:
                rule.score(text, "")
            mean = sum(rule.score(answer, answer) for answer in answers) / len(answers)
        except rewards.TooSlow as error:
            raise InputError(
                "pattern_slow",
                f"The pattern tries so many ways to match that it comes to no end within {rewards.PATIENCE} seconds for one text.",
                where="pattern",
                mend="Avoid repetitions inside repetitions, as in (a+)+, and alternatives that begin alike.",
            ) from error
        ctx.log(f"By {rule.title}, the dataset's own answers earn {mean:.2f} of 1")
        if not mean:
            ctx.warn(
                "rule_unmet",
                f"None of the dataset's own answers earns anything by {rule.title}.",
                where=rule.setting,
                mend="Check the rule: where the model never fulfils it by chance, there is nothing to learn from.",
            )


def patient(ctx: Context, rule: Rule) -> Callable[[str, str], float]:
    """The score of ``rule``, where a pattern that comes to no end on an answer is not fulfilled by it, which is said once."""
    said: list[bool] = []

    def score(answer: str, reference: str) -> float:
        try:
            return rule.score(answer, reference)
        except rewards.TooSlow:
            if not said:
                said.append(True)
                ctx.warn(
                    "pattern_slow",
                    f"On some answers the pattern comes to no end within {rewards.PATIENCE} seconds; they count as not matching.",
                    where="pattern",
                    mend="Avoid repetitions inside repetitions, as in (a+)+.",
                )
            return 0.0

    return score
