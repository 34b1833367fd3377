"""The JSON objects in what a model says, however it wraps them."""

import json
import re
from typing import Any

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
LONGEST = 200_000  # characters that are looked at
MOST = 100  # objects of one answer


def objects(said: str) -> list[dict[str, Any]]:
    """Every whole object in ``said``: bare, in a list, in a code fence, among prose; those before the place where it breaks off.

    An object that only wraps a list of objects (``{"pairs": [...]}``) is opened. Nothing is guessed: what is cut in half is left out.
    """
    text = _THINKING.sub("", said[:LONGEST])
    found = _scan(text)
    if not found and _TRAILING_COMMA.search(text):
        found = _scan(_TRAILING_COMMA.sub(r"\1", text))
    return [one for item in found for one in _opened(item)][:MOST]


def _scan(text: str) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder(strict=False)  # models write line breaks inside strings
    found: list[dict[str, Any]] = []
    at = text.find("{")
    while at != -1 and len(found) < MOST:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found += [value] if isinstance(value, dict) else []
        at = text.find("{", end)
    return found


def _opened(item: dict[str, Any]) -> list[dict[str, Any]]:
    lists = [value for value in item.values() if isinstance(value, list) and value and all(isinstance(one, dict) for one in value)]
    return lists[0] if len(lists) == 1 and len(item) == 1 else [item]
