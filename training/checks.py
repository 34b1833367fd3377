"""Said at start-up rather than at the first click: methods and presets that stages would refuse, and training stages without a method."""

from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register

from training import methods


@register
def methods_are_valid(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    try:
        methods.check()
    except methods.MethodError as error:
        found.append(Error(str(error), id="training.E001"))
    for stage in methods.not_offered():
        hint = "Give it an entry in training/methods.toml, under its very key."
        found.append(Warning(f"No method of “Start training” offers the stage {stage}.", hint=hint, id="training.W001"))
    return found
