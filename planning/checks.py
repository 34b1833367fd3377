"""The rules are looked at when the studio starts: a slip in rules.toml must not wait for the person whose answers meet it."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from planning import rules


@register()
def rules_hold_together(**kwargs: Any) -> list[CheckMessage]:
    try:
        found = list(rules.problems(rules.load()))
    except (rules.RulesError, ValueError, OSError) as error:
        return [Error(f"planning/rules.toml cannot be read: {error}", id="planning.E001")]
    return [Error(f"planning/rules.toml: {problem}.", id="planning.E002") for problem in found]
