"""Said at start-up rather than at the first click: a data file of base models that is not right."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from catalogue import families


@register
def base_models_are_valid(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    try:
        families.load()
    except (families.CatalogueError, OSError, ValueError) as error:
        return [Error(f"{families.DATA.name}: {error}", id="catalogue.E001")]
    return []
