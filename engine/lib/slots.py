"""Templates with slots: `{question}`, `{topic}` and slots of one's own, filled with every value in turn. Needs no model."""

import itertools
import re
from collections.abc import Iterator, Mapping

_SLOT = re.compile(r"\{(\w+)\}")
MOST_VALUES = 200  # of one slot


class SlotError(ValueError):
    """A template or a line of values cannot be read; the message says which and why."""


def values_of(text: str) -> dict[str, list[str]]:
    """Slots and their values from lines such as ``department = ward | clinic``. Raises ``SlotError``."""
    found: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, equals, values = line.partition("=")
        name = name.strip().strip("{}")
        if not equals or not re.fullmatch(r"\w+", name):
            raise SlotError(f"Line {number} of the values has to read like “department = ward | clinic”.")
        found[name] = [value.strip() for value in values.split("|") if value.strip()][:MOST_VALUES]
        if not found[name]:
            raise SlotError(f"Line {number} of the values gives {{{name}}} no value.")
    return found


def templates_of(text: str, known: Mapping[str, object]) -> list[str]:
    """The templates, one a line. Raises ``SlotError`` for a slot that nothing fills."""
    found = [line.strip() for line in text.splitlines() if line.strip()]
    for number, template in enumerate(found, start=1):
        for slot in slots_in(template):
            if slot not in known:
                raise SlotError(f"Line {number} of the templates has the slot {{{slot}}}. There are: {', '.join(known)}.")
    return found


def slots_in(text: str) -> list[str]:
    """The slots of ``text``, each once."""
    return list(dict.fromkeys(_SLOT.findall(text)))


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with its slots filled; one without a value stays. A sentence put inside another begins in lower case."""

    def put(slot: re.Match[str]) -> str:
        value = values.get(slot[1])
        if value is None:
            return slot[0]
        inside = bool(text[: slot.start()].strip()) and text[: slot.start()].rstrip()[-1] not in '.!?:\n“"'
        return _lowered(value) if inside else value

    return _SLOT.sub(put, text)


def combinations(names: list[str], values: Mapping[str, list[str]]) -> Iterator[dict[str, str]]:
    """Every choice of one value for each of ``names``."""
    for chosen in itertools.product(*(values[name] for name in names)):
        yield dict(zip(names, chosen, strict=True))


def _lowered(sentence: str) -> str:
    """The first letter in lower case, unless the word is a name or an abbreviation as far as one can see."""
    first = sentence.split(maxsplit=1)[0] if sentence.split() else ""
    common = first.lower() in _OPENINGS
    return sentence[:1].lower() + sentence[1:] if common else sentence


_OPENINGS = frozenset(
    """what who whom whose which when where why how is are was were do does did can could may must should shall will would has have in if
    a an the wie was wer wo wann warum welche welcher welches ist sind kann darf muss soll""".split()
)
