"""Faults of a whole set of pairs, which no single row shows: fifty seeded sets with the fault and fifty without, for each check."""

import random
from collections.abc import Callable
from typing import Any

from benchmarks.gate_faults import Line, copied, turns
from engine.lib.quality.material import Material, Row
from engine.lib.quality.registry import all_checks

SIZE, COUNT = 300, 50  # rows in a set; sets with the fault, and without


def alike_openings(rows: list[Line], dice: random.Random) -> list[Line]:
    """30 to 60% of the questions begin with the same words."""
    opening = dice.choice(("Can you tell me", "Please explain to me", "I want to know"))
    some = set(dice.sample(range(len(rows)), int(len(rows) * dice.uniform(0.3, 0.6))))
    return [copied(row, f"{opening} this: {turns(row)[0]}") if number in some else row for number, row in enumerate(rows)]


def few_phrasings(rows: list[Line], dice: random.Random) -> list[Line]:
    """Every question put in one of two to five ways."""
    forms = dice.sample(
        ("What is {}?", "Explain {}.", "How does {} work?", "Why is there {}?", "Who needs {}?", "When is {} used?"), dice.randint(2, 5)
    )
    subjects = [" ".join(word for word in turns(row)[1].split() if word.isalpha() and len(word) > 5) or "it" for row in rows]
    return [copied(row, dice.choice(forms).format(subject.split()[0])) for row, subject in zip(rows, subjects, strict=True)]


def one_length(rows: list[Line], dice: random.Random) -> list[Line]:
    """55 to 95% of the answers cut or filled to nearly one length."""
    length, share = dice.randrange(80, 300), dice.uniform(0.55, 0.95)
    made = []
    for row in rows:
        text = (turns(row)[1] + " ") * 10
        made.append(copied(row, answer=text[: int(length * dice.uniform(0.95, 1.05))]) if dice.random() < share + 0.03 else row)
    return made


def one_topic(rows: list[Line], dice: random.Random) -> list[Line]:
    """45 to 95% of the pairs about one topic."""
    share = dice.uniform(0.45, 0.95)
    return [row | {"topic": "the one"} if number < share * len(rows) else row for number, row in enumerate(rows)]


def unseen(rows: list[Line], dice: random.Random) -> list[Line]:
    """A person has decided on less than a fifth, the rule on the rest, or nobody."""
    share = dice.uniform(0, 0.18)
    return [row | {"decided": "person" if number < share * len(rows) else dice.choice(("rule", ""))} for number, row in enumerate(rows)]


SETS: dict[str, Callable[[list[Line], random.Random], list[Line]]] = {
    "openings": alike_openings,
    "phrasings": few_phrasings,
    "lengths": one_length,
    "topic_balance": one_topic,
    "reviewed": unseen,
}


def set_rates(check: str, base: list[Line], seed: int) -> dict[str, Any]:
    """In how many sets with the fault the check warned or failed, and in how many without it."""
    rule, look = next((rule, function) for rule, function in all_checks() if rule.key == check)

    def warned(rows: list[Line]) -> bool:
        found = look(Material([Row.from_dict(row) for row in rows], seed=seed), rule)
        return found.number is not None and rule.verdict(found.number) != "pass"

    dice = random.Random(f"{check}/{seed}")
    with_fault = [SETS[check](dice.sample(base, SIZE), dice) for _ in range(COUNT)]
    without = [dice.sample(base, SIZE) for _ in range(COUNT)]
    return {"planted": COUNT, "found": sum(map(warned, with_fault)), "alarms": sum(map(warned, without)), "clean": COUNT}
