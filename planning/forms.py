"""The wizard's questions as the page draws them. They come from the rules, so there is no form class to keep in step."""

from dataclasses import dataclass

from planning.rules import Answers, Question, Rules


@dataclass(frozen=True)
class Asked:
    """A question with what was answered and what is wrong with that."""

    question: Question
    chosen: tuple[str, ...]
    error: str = ""

    @property
    def kind(self) -> str:
        return "checkbox" if self.question.many else "radio"

    @property
    def choices(self) -> list[dict[str, object]]:
        return [
            {"key": choice.key, "label": choice.label, "help": choice.help, "checked": choice.key in self.chosen}
            for choice in self.question.answers
        ]


def asked(rules: Rules, answers: Answers, errors: dict[str, str] | None = None) -> list[Asked]:
    return [Asked(question, tuple(answers.get(question.key, ())), (errors or {}).get(question.key, "")) for question in rules.questions]
