"""Which settings a sweep varies and by which values: as typed, looked at value by value, and the combinations they make."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from typing import Any

from django import forms
from pydantic import ValidationError

from engine.registry import StageInfo

FEWEST_VALUES, MOST_RUNS = 2, 12
APART = re.compile(r",\s+|\s+,|[;\n]")  # what parts values whatever they are; a comma alone may stand inside a number
WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}

AMBIGUOUS = "may be one number or several: put a space after each comma between values, and write one number like 1000 or 0.5"

# how Django's and pydantic's messages begin, and how they go on after a value
BEGINNINGS = (
    ("Ensure this value is ", "must be "),
    ("Enter a ", "is not a "),
    ("Input should be ", "must be "),
    ("must ", "must "),
    ("is ", "is "),
)


@dataclass(frozen=True)
class Value:
    """One value ``as_typed``; either what it means to the stage, or the ``error`` that says why it cannot be."""

    as_typed: str
    value: Any = None
    error: str = ""


@dataclass(frozen=True)
class Varied:
    """A setting with its values."""

    name: str
    title: str
    values: tuple[Value, ...]

    @property
    def wrong(self) -> list[Value]:
        return [value for value in self.values if value.error]


def can_be_varied(form: forms.Form) -> list[tuple[str, list[tuple[str, str]]]]:
    """Choices of the settings of a stage's form that take a number or one of a few words; those rarely needed in a group of their own."""
    kinds = (forms.IntegerField, forms.FloatField, forms.BooleanField, forms.ChoiceField)
    several = forms.MultipleChoiceField
    fits = [(name, str(field.label)) for name, field in form.fields.items() if isinstance(field, kinds) and not isinstance(field, several)]
    advanced = getattr(form, "advanced", ())
    usual, rare = [one for one in fits if one[0] not in advanced], [one for one in fits if one[0] in advanced]
    return [(title, choices) for title, choices in (("Usual", usual), ("Rarely needed", rare)) if choices]


def hint(info: StageInfo, field: forms.Field, name: str) -> str:
    """What may be typed for the setting ``name`` with its form ``field``."""
    if isinstance(field, forms.BooleanField):
        return "Yes and no."
    if isinstance(field, forms.ChoiceField):
        return "Any of: " + ", ".join(label for _, label in _choices(field)) + "."
    kind, how = ("Whole numbers", "1000, not 1,000") if _whole(field) else ("Numbers", "0.5, not 0,5")
    return f"{kind}{_reach(info, name)}, with a comma and a space between. Write {how}."


def _reach(info: StageInfo, name: str) -> str:
    """ " from 1 to 512", " above 0 and at most 0.1": bounds as the schema has them, which a form's field cannot tell from one another."""
    spec = info.schema().get("properties", {}).get(name, {})
    spec = {key: value for option in [*spec.get("anyOf", []), spec] for key, value in option.items()}
    if "minimum" in spec and "maximum" in spec:
        return f" from {_exact(spec['minimum'])} to {_exact(spec['maximum'])}"
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    said = [f"{word} {_exact(spec[key])}" for key, word in words.items() if key in spec]
    return " " + " and ".join(said) if said else ""


def _whole(field: forms.Field) -> bool:
    return isinstance(field, forms.IntegerField) and not isinstance(field, forms.FloatField)


def _exact(number: float) -> str:
    """As it is typed: without grouping, and no "e" where it is short without."""
    return f"{number:.12g}"


def varied(info: StageInfo, field: forms.Field, name: str, text: str, params: Mapping[str, Any]) -> Varied:
    """The values of the setting ``name`` that stand in ``text``, each looked at by its form ``field`` and, among the other ``params``, by
    the schema of the stage.
    """
    values: list[Value] = []
    for typed, ambiguous in _parts(field, text):
        value = Value(typed, error=AMBIGUOUS) if ambiguous else _looked_at(info, field, name, typed, params)
        if not value.error and any(value.value == other.value for other in values if not other.error):
            value = Value(typed, error="is there twice")
        values.append(value)
    return Varied(name, str(field.label), tuple(values))


def _parts(field: forms.Field, text: str) -> Iterator[tuple[str, bool]]:
    """The values that stand in ``text``; with True what may be one number or several, for it has a comma without a space."""
    for several in APART.split(text):
        parts = several.split(",")
        if isinstance(field, forms.IntegerField) and any(_one_or_two(*two, whole=_whole(field)) for two in pairwise(parts)):
            yield several.strip(), True
        else:
            yield from ((part.strip(), False) for part in parts if part.strip())


def _one_or_two(before: str, after: str, *, whole: bool) -> bool:
    """Whether ``before``, a comma and ``after`` may be one number: with thousands grouped ("1,000") or, of those that may have a fraction,
    with a decimal comma ("0,001", "2,5e-4"). "1e-4,3e-4" and "0.1,0.2" can only be two.
    """
    grouped = re.fullmatch(r"\s*[+-]?\d{1,3}", before) and re.fullmatch(r"\d{3}(\.\d*)?\s*", after)
    fraction = re.fullmatch(r"\s*[+-]?\d+", before) and re.fullmatch(r"\d+(e[+-]?\d+)?\s*", after, re.IGNORECASE)
    return bool(grouped or (fraction and not whole))


def _looked_at(info: StageInfo, field: forms.Field, name: str, typed: str, params: Mapping[str, Any]) -> Value:
    try:
        value = _meant(field, typed)
    except forms.ValidationError as error:
        return Value(typed, error=_plain(" ".join(error.messages)))
    try:
        valid = info.params.model_validate({**params, name: value})
    except ValidationError as error:
        wrong = [item["msg"] for item in error.errors() if not item["loc"] or item["loc"][0] == name]
        # what is wrong with other settings is said beside those
        return Value(typed, error=_plain(" ".join(wrong))) if wrong else Value(typed, value)
    return Value(typed, valid.model_dump(mode="json")[name])


def _meant(field: forms.Field, typed: str) -> Any:
    """Words as people read them, or as the stage knows them."""
    if isinstance(field, forms.BooleanField):
        if typed.lower() not in WORDS:
            raise forms.ValidationError("must be yes or no")
        return WORDS[typed.lower()]
    if isinstance(field, forms.ChoiceField):
        keys = {word.lower(): key for key, label in _choices(field) for word in (key, label)}
        if typed.lower() not in keys:
            raise forms.ValidationError(f"is none of {', '.join(label for _, label in _choices(field))}")
        return keys[typed.lower()]
    return field.clean(typed)


def _choices(field: forms.ChoiceField) -> list[tuple[str, str]]:
    choices: Any = field.choices
    return [(str(key), str(label)) for key, label in choices]


def _plain(message: str) -> str:
    """ "Enter a number." → "is not a number", to be read after the value it is about."""
    for begins, instead in BEGINNINGS:
        if message.startswith(begins):
            return instead + message.removeprefix(begins).rstrip(".")
    return f"cannot be: {message.rstrip('.')}"


def count(settings: Sequence[Sequence[Any]]) -> int:
    """How many combinations the values of ``settings`` make."""
    return prod(len(values) for values in settings) if settings else 0


def combinations(settings: Sequence[tuple[str, Sequence[Any]]]) -> list[dict[str, Any]]:
    """Every combination of the values of each (name, values), the last setting changing fastest."""
    names = [name for name, _ in settings]
    return [dict(zip(names, values, strict=True)) for values in product(*(values for _, values in settings))]


def in_words(info: StageInfo, name: str, value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    labels = info.schema().get("properties", {}).get(name, {}).get("labels", {})
    return f"{value:.12g}" if isinstance(value, float) else str(labels.get(value, value))


def title_of(info: StageInfo, name: str) -> str:
    return str(info.schema().get("properties", {}).get(name, {}).get("title", name))


def label_of(info: StageInfo, chosen: Mapping[str, Any]) -> str:
    """ "Learning rate 0.0001, adapter rank 8": what tells a run of a sweep from the others."""
    words = ", ".join(f"{uncapital(title_of(info, name))} {in_words(info, name, value)}" for name, value in chosen.items())
    return words[:1].upper() + words[1:]


def uncapital(title: str) -> str:
    """ "Learning rate" → "learning rate", but "DPO" as it is."""
    return title if title[:2].isupper() else title[:1].lower() + title[1:]
