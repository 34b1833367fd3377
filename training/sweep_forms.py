"""The part of "Start training" that tries several values of one or two settings."""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms

from training.methods import Method
from training.varying import FEWEST_VALUES, MOST_RUNS, Value, Varied, can_be_varied, combinations, count, hint, varied

PAIRS = (("vary", "vary_values"), ("vary_2", "vary_2_values"))


class SweepForm(forms.Form):
    """``page`` tells presses of one page from those of another, so that a double press starts one sweep."""

    vary = forms.ChoiceField(label="Setting to vary", required=False)
    vary_values = forms.CharField(label="Its values", required=False, max_length=300)
    vary_2 = forms.ChoiceField(label="A second setting", required=False)
    vary_2_values = forms.CharField(label="The second's values", required=False, max_length=300)
    page = forms.UUIDField(required=False, widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, data: Any = None, *, method: Method, settings: forms.Form, params: Mapping[str, Any], initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self.method, self.settings, self.params = method, settings, params
        self.varied: list[Varied] = []
        groups = can_be_varied(settings)
        for name, nothing in (("vary", "Nothing: one training"), ("vary_2", "None")):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", nothing), *groups]
        for name in ("vary_values", "vary_2_values"):
            self.fields[name].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        # what another method has and this one has not
        self.initial.update({name: "" for name, _ in PAIRS if self.initial.get(name) not in settings.fields})

    @property
    def asked(self) -> bool:
        """Whether more than one training is wanted, rightly or not."""
        return any(self._stands_in(name).strip() for pair in PAIRS for name in pair)

    @property
    def in_the_way(self) -> bool:
        """Whether more than one training is asked for in a way that cannot start."""
        return self.is_bound and self.asked and not self.is_valid()

    @property
    def as_read(self) -> list[tuple[str, str, tuple[Value, ...]]]:
        """(title, what may be typed, the values as they are read) of each setting chosen."""
        read = {one.name: one.values for one in self.varied}
        chosen = {name: field for pair in PAIRS if (field := self.settings.fields.get(name := self._stands_in(pair[0])))}
        return [(str(field.label), hint(self.method.info, field, name), read.get(name, ())) for name, field in chosen.items()]

    def _stands_in(self, name: str) -> str:
        return str((self.data if self.is_bound else self.initial).get(name) or "")

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        for setting, values in PAIRS:
            name, text = said.get(setting), str(said.get(values) or "")
            if not name:
                if text.strip() and setting not in self.errors:
                    self.add_error(setting, "Choose the setting that these are values of.")
                continue
            one = varied(self.method.info, self.settings.fields[name], name, text, self.params)
            self.varied.append(one)
            for wrong in one.wrong:
                self.add_error(values, f"“{wrong.as_typed}” {wrong.error}.")
            if len(one.values) < FEWEST_VALUES and not one.wrong:
                self.add_error(values, "Name two values or more, with commas between.")
        if said.get("vary_2") and not said.get("vary"):
            self.add_error("vary", "Choose the first setting too.")
        elif said.get("vary") and said.get("vary") == said.get("vary_2"):
            self.add_error("vary_2", "This is the first setting already.")
        if self.runs > MOST_RUNS:
            self.add_error(None, f"These make {self.runs} runs; at most {MOST_RUNS} can be started together.")
        return said

    @property
    def runs(self) -> int:
        """How many runs the values make."""
        return count([one.values for one in self.varied])

    def combinations(self) -> list[dict[str, Any]]:
        """Of the values, where all is right; none otherwise. Call after ``is_valid``."""
        return combinations(self.settings_varied()) if self.varied and not self.errors else []

    def settings_varied(self) -> list[tuple[str, list[Any]]]:
        return [(one.name, [value.value for value in one.values]) for one in self.varied]
