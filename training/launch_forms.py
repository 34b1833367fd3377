"""The launch form and one form a stage, treated as one."""

from typing import Any

from django import forms

from engine import registry
from runs.forms import params_form, params_from
from training.forms import LaunchForm
from training.methods import Method
from training.steps import Step
from training.sweep_forms import SweepForm

AFTER = ("evaluate", "merge", "quantize")


class LaunchForms:
    """``initial``: stage → parameters to begin with, of the main method and of what comes afterwards; for methods that follow, their whole
    settings. ``sweep``: what the part of the page that varies settings begins with; a method whose steps cannot be told has no such part.
    """

    def __init__(
        self,
        launch: LaunchForm,
        data: Any = None,
        initial: dict[str, dict[str, Any]] | None = None,
        sweep: dict[str, Any] | None = None,
    ) -> None:
        self.launch = launch
        self.initial = initial or {}
        known = {info.key: info for info in registry.all_stages()}
        self.stages: dict[str, forms.Form] = {
            key: params_form(known[key], data, initial=self.initial.get(key), prefix=key)
            for key in (launch.main.key, *AFTER)
            if key in known
        }
        self.sweep: SweepForm | None = None
        if launch.main.loops:
            params = self.params(launch.main.key) if data else {}
            self.sweep = SweepForm(data, method=launch.main, settings=self.settings, params=params, initial=sweep)

    @property
    def sweeps(self) -> bool:
        """Whether several values are to be tried."""
        return self.sweep is not None and self.sweep.asked

    @property
    def settings(self) -> forms.Form:
        """Those of the main method."""
        return self.stages[self.launch.main.key]

    def is_valid(self) -> bool:
        sweep = [self.sweep] if self.sweep else []
        return all([self.launch.is_valid(), *(form.is_valid() for form in [*self.stages.values(), *sweep])])

    def params(self, stage: str) -> dict[str, Any]:
        """Cleaned parameters of a stage, as far as they are valid."""
        form = self.stages.get(stage)
        if form is None:
            return dict(self.initial.get(stage, {}))
        if form.is_bound:
            form.is_valid()
            return params_from(form)
        return {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}

    def steps(self) -> list[Step]:
        """The steps that were asked for, in the order in which they shall run. Call after ``is_valid``.

        Of a sweep no small files are made: one of the best is enough, once it is known.
        """
        return [{"stage": key, "params": self.params(key)} for key in self.launch.stages(small_file=not self.sweeps)]

    def add_errors(self, fields: dict[str, str]) -> None:
        """Put what the service refused beside the fields it is about."""
        for name, text in fields.items():
            stage, _, field = name.partition("-")
            form = self.stages.get(stage, self.launch)
            form.add_error(field if field in form.fields else None, text)


def begun_with(method: Method, preset: str) -> dict[str, Any]:
    """Name → what stands in the field of each of the method's parameters before anybody changes it."""
    properties = method.info.schema().get("properties", {})
    return {name: spec.get("default") for name, spec in properties.items()} | method.presets.get(preset, {})


def carried(shown: Method, method: Method, preset: str, data: Any) -> dict[str, Any]:
    """What was changed in the settings of ``shown`` that ``method`` has as well and suggests the same for: it stays when methods change.

    A learning rate of one method would be wrong for another that suggests a different one.
    """
    if shown.key == method.key:
        form = params_form(method.info, data, prefix=method.key)
        form.is_valid()
        return params_from(form)
    form = params_form(shown.info, data, prefix=shown.key)
    form.is_valid()
    before, now = begun_with(shown, preset), begun_with(method, preset)
    return {name: value for name, value in params_from(form).items() if name in now and value != before[name] == now[name]}
