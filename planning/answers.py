"""Answers as they come in from a form, a service call or a stored plan, made sure of."""

from collections.abc import Iterable, Mapping
from typing import Any

from planning.rules import Answers, Rules


class AnswersError(Exception):
    """``fields`` maps a question to what is wrong with its answer."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__("Some questions need an answer.")
        self.fields = fields


def cleaned(rules: Rules, given: Mapping[str, Any]) -> Answers:
    """Known answers to known questions; the rest is dropped. A question of one answer keeps the first."""
    answers: dict[str, tuple[str, ...]] = {}
    for question in rules.questions:
        value = given.get(question.key, ())
        wanted: Iterable[str] = [value] if isinstance(value, str) else value or ()
        known = {choice.key for choice in question.answers}
        chosen = tuple(dict.fromkeys(answer for answer in wanted if answer in known))
        answers[question.key] = chosen if question.many else chosen[:1]
    return answers


def complete(rules: Rules, given: Mapping[str, Any]) -> Answers:
    """Raises ``AnswersError`` where a question of one answer has none, or an answer does not exist."""
    answers = cleaned(rules, given)
    wrong = {question.key: "Choose an answer." for question in rules.questions if not question.many and not answers[question.key]}
    if wrong:
        raise AnswersError(wrong)
    return answers


def answered(rules: Rules, answers: Answers) -> tuple[int, int]:
    """How many of the questions that need an answer have one, and how many there are."""
    needed = [question.key for question in rules.questions if not question.many]
    return sum(1 for key in needed if answers.get(key)), len(needed)
