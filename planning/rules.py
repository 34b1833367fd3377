"""rules.toml as typed objects. What the file may say is what these classes take; ``problems`` finds what does not fit together."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

RULES_FILE = Path(__file__).with_name("rules.toml")
Answers = Mapping[str, tuple[str, ...]]  # question → the chosen answers; empty or missing while unanswered
Conditions = Mapping[str, tuple[str, ...]]


class RulesError(Exception):
    """rules.toml cannot be read; says where."""


@dataclass(frozen=True)
class Choice:
    key: str
    label: str
    help: str = ""


@dataclass(frozen=True)
class Question:
    key: str
    title: str
    help: str
    answers: tuple[Choice, ...]
    many: bool = False  # any number of answers, none included

    def label(self, key: str) -> str:
        return next(choice.label for choice in self.answers if choice.key == key)


@dataclass(frozen=True)
class Step:
    stage: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Approach:
    """One way to a domain model. ``needs`` are other approaches, "a|b" meaning either; of those that share ``pick`` one is chosen."""

    key: str
    name: str
    long_name: str
    summary: str
    threshold: int
    order: int
    time: str
    compute: str
    data: str
    strengths: tuple[str, ...]
    otherwise: str
    pick: str = ""
    needs: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    cautions: tuple[str, ...] = ()
    instead: str = ""  # whose steps are run while this one's stage is missing


@dataclass(frozen=True)
class Rule:
    """When every question of ``when`` has one of its answers, ``approach`` weighs more or less, or is ``out``."""

    approach: str
    when: Conditions
    reason: str
    weight: int = 0
    out: bool = False
    caution: str = ""

    def fires(self, answers: Answers) -> bool:
        return matches(self.when, answers)


@dataclass(frozen=True)
class Setting:
    """Parameters of a stage that follow from answers."""

    stage: str
    when: Conditions
    params: dict[str, Any]
    reason: str


@dataclass(frozen=True)
class Memory:
    """Bytes needed: ``times`` the guides' figure for weights in fp16 or 4 bits, ``plus`` what comes on top."""

    of: str
    times: float
    plus: int


@dataclass(frozen=True)
class Hardware:
    key: str
    bytes: int
    name: str
    train_parameters: int | None = None


@dataclass(frozen=True)
class UseCase:
    """Families that suit a use; with ``most_parameters`` only their small models do."""

    when: Conditions
    families: tuple[str, ...]
    reason: str
    most_parameters: int | None = None
    weight: float = 2.0


@dataclass(frozen=True)
class Assumed:
    """What an estimate takes the data to be while there is none: pairs by the answer to "learn_from", and tokens."""

    pairs: dict[str, int]
    tokens_a_pair: int
    longest_pair: int


@dataclass(frozen=True)
class Rules:
    questions: tuple[Question, ...]
    approaches: dict[str, Approach]
    rules: tuple[Rule, ...]
    settings: tuple[Setting, ...]
    memory: dict[str, Memory]
    hardware: dict[str, Hardware]
    use_cases: tuple[UseCase, ...]
    assumed: Assumed
    version: str  # of the file's content

    def question(self, key: str) -> Question:
        return next(question for question in self.questions if question.key == key)


def matches(when: Conditions, answers: Answers) -> bool:
    return all(set(wanted) & set(answers.get(question, ())) for question, wanted in when.items())


@cache
def load() -> Rules:
    """The studio's rules. Raises ``RulesError``."""
    content = RULES_FILE.read_bytes()
    return parse(tomllib.loads(content.decode("utf-8")), hashlib.sha256(content).hexdigest())


def parse(data: Mapping[str, Any], version: str = "") -> Rules:
    """Raises ``RulesError`` naming the first entry that does not have the right shape."""
    return Rules(
        questions=tuple(_question(entry) for entry in data.get("question", [])),
        approaches={key: _approach(key, entry) for key, entry in data.get("approach", {}).items()},
        rules=tuple(rule for entry in data.get("rule", []) for rule in _rules(entry)),
        settings=tuple(_build(Setting, entry, "setting", when=_conditions(entry)) for entry in data.get("setting", [])),
        memory={key: _build(Memory, entry, f"memory {key}") for key, entry in data.get("memory", {}).items()},
        hardware={key: _build(Hardware, entry, f"hardware {key}", key=key) for key, entry in data.get("hardware", {}).items()},
        use_cases=tuple(
            _build(UseCase, entry, "use_case", when=_conditions(entry), families=tuple(entry.get("families", ())))
            for entry in data.get("use_case", [])
        ),
        assumed=_build(Assumed, data.get("estimate", {}), "estimate"),
        version=version,
    )


def _question(entry: Mapping[str, Any]) -> Question:
    where = f"question {entry.get('key')}"
    return _build(Question, entry, where, answers=tuple(_build(Choice, one, where) for one in entry.get("answers", ())))


def _approach(key: str, entry: Mapping[str, Any]) -> Approach:
    where = f"approach {key}"
    lists = {name: tuple(entry.get(name, ())) for name in ("strengths", "needs", "cautions")}
    return _build(
        Approach,
        entry,
        where,
        key=key,
        steps=tuple(_build(Step, one, where) for one in entry.get("steps", ())),
        **lists,
    )


def _rules(entry: Mapping[str, Any]) -> list[Rule]:
    """One entry may speak for several approaches."""
    names = entry.get("approach", "")
    approaches = [names] if isinstance(names, str) else names
    return [_build(Rule, entry, "rule", approach=name, when=_conditions(entry)) for name in approaches]


def _conditions(entry: Mapping[str, Any]) -> Conditions:
    return {question: tuple(wanted) for question, wanted in entry.get("when", {}).items()}


def _build(kind: Any, entry: Mapping[str, Any], where: str, **ready: Any) -> Any:
    try:
        return kind(**{**entry, **ready})
    except TypeError as error:
        raise RulesError(f"rules.toml, {where}: {error}") from error


def problems(rules: Rules) -> Iterator[str]:
    """What in ``rules`` speaks of something that is not there, or can never happen."""
    known = {question.key: {choice.key for choice in question.answers} for question in rules.questions}
    for name, when in [
        *((f"rule for {rule.approach}", rule.when) for rule in rules.rules),
        *((f"setting for {setting.stage}", setting.when) for setting in rules.settings),
        *(("use case", use.when) for use in rules.use_cases),
    ]:
        if not when:
            yield f"a {name} has no condition"
        for question, wanted in when.items():
            if question not in known:
                yield f"a {name} asks for question {question!r}, which there is not"
            for answer in set(wanted) - known.get(question, set()):
                yield f"a {name} asks for answer {answer!r} of {question!r}, which there is not"
    for rule in rules.rules:
        if rule.approach not in rules.approaches:
            yield f"a rule is for approach {rule.approach!r}, which there is not"
        if rule.out == bool(rule.weight):
            yield f"a rule for {rule.approach} must either weigh or rule out: “{rule.reason}”"
    for approach in rules.approaches.values():
        if approach.instead and approach.instead not in rules.approaches:
            yield f"{approach.key} names {approach.instead} instead, which there is not"
        for need in approach.needs:
            if missing := set(need.split("|")) - rules.approaches.keys():
                yield f"{approach.key} needs {', '.join(sorted(missing))}, which there is not"
    hardware = known.get("hardware", set())
    if hardware != rules.hardware.keys():
        yield f"the hardware that can be answered and that with figures differ: {sorted(hardware ^ rules.hardware.keys())}"
    for mode in {"answering_16", "answering_4", "lora", "qlora", "full"} - rules.memory.keys():
        yield f"there is no memory figure for {mode}"
    if known.get("learn_from", set()) != rules.assumed.pairs.keys():
        yield "the estimate does not assume pairs for every answer to learn_from"
    if not 5 <= len(rules.questions) <= 7:
        yield f"there are {len(rules.questions)} questions; five to seven are asked"
