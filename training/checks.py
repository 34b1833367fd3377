"""Said at start-up rather than at the first click: presets that their stages would refuse."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from training import presets


@register
def presets_are_valid(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    try:
        presets.check()
    except presets.PresetError as error:
        return [Error(str(error), id="training.E001")]
    return []
