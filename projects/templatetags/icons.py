"""Icons of Lucide, as SVG in the page."""

from functools import lru_cache
from typing import Any

from django import template
from django.utils.safestring import SafeString
from lucide.templatetags import lucide as library

register = template.Library()


@register.simple_tag
def lucide(name: str, *, size: int = 24, **attributes: Any) -> SafeString:
    """The icon ``name``, ``size`` pixels high. Drawn once: a page has a hundred of a few dozen, and drawing takes as long as a query.

    Raises ``IconDoesNotExist``.
    """
    return _drawn(name, size, tuple(attributes.items()))


@lru_cache(maxsize=1024)
def _drawn(name: str, size: int, attributes: tuple[tuple[str, Any], ...]) -> SafeString:
    return library.lucide(name, size=size, **dict(attributes))
