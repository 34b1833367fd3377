"""The form of "Start training": what to train on what, and each stage's own parameters."""

from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalogue.selectors import BaseModelState
from engine import registry
from projects.templatetags.studio import size
from runs.forms import params_form, params_from
from runs.models import Artifact
from training import presets
from training.selectors import dataset_label
from training.services import Step

AFTER = ("merge", "quantize", "evaluate")


class LaunchForm(forms.Form):
    """Everything but the stages' parameters. Only base models that are on this machine can be chosen."""

    base_key = forms.ChoiceField(label="Base model", widget=forms.RadioSelect)
    dataset = forms.ChoiceField(
        label="Dataset version", help_text="Training reads its train and validation pairs; the test pairs stay unseen."
    )
    preset = forms.ChoiceField(label="How thorough", widget=forms.RadioSelect, initial=presets.DEFAULT, required=False)
    evaluate = forms.BooleanField(
        label="Evaluate it",
        initial=True,
        required=False,
        help_text="Compares it with the base model on test pairs it has never seen, and on general text.",
    )
    quantize = forms.BooleanField(
        label="Make a small file",
        initial=True,
        required=False,
        help_text="Merges the adapter and makes a GGUF file that runs on a laptop, checked to answer alike.",
    )
    name = forms.CharField(
        label="Name",
        required=False,
        max_length=120,
        help_text="For lists and charts. Left empty, it is made from the base model's name.",
    )
    seed = forms.IntegerField(
        label="Seed",
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        initial=0,
        help_text="The same seed gives the same order of pairs.",
    )

    def __init__(self, *args: Any, bases: list[BaseModelState], datasets: list[Artifact], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.datasets = {str(dataset.pk): dataset for dataset in datasets}
        self.bases = {state.key: state for state in bases if state.here}
        self.elsewhere = [state for state in bases if not state.here]
        self._choices("base_key", [(key, _base_label(state)) for key, state in self.bases.items()])
        self._choices("dataset", [(key, dataset_label(dataset)) for key, dataset in self.datasets.items()])
        described = [(one.key, _choice(one.title, one.description)) for one in presets.presets().values()]
        self._choices("preset", described)
        if self.initial.get("base_key") not in self.bases and self.bases:
            self.initial["base_key"] = next(iter(self.bases))

    def _choices(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def chosen_dataset(self) -> Artifact | None:
        """The one chosen, or the newest while nothing is."""
        value = self.data.get("dataset") or self.initial.get("dataset")
        return self.datasets.get(str(value)) or next(iter(self.datasets.values()), None)

    def chosen_base(self) -> BaseModelState | None:
        return self.bases.get(self.data.get("base_key") or self.initial.get("base_key", ""))


def _choice(title: str, text: str) -> SafeString:
    return format_html('<span class="strong">{}</span><span class="help">{}</span>', title, text)


def _base_label(state: BaseModelState) -> SafeString:
    spec = state.spec
    facts = f"{spec.size} parameters, {spec.context:,} tokens of context, {size(spec.memory_fp16)} in 16 bit. "
    facts += spec.summary
    return _choice(spec.name, facts if state.imported else facts + " Is imported first, which takes about a minute.")


class LaunchForms:
    """The launch form and one form a stage, treated as one."""

    def __init__(self, launch: LaunchForm, data: Any = None, initial: dict[str, dict[str, Any]] | None = None) -> None:
        initial = initial or {}
        known = {info.key: info for info in registry.all_stages()}
        self.launch = launch
        self.stages: dict[str, forms.Form] = {
            key: params_form(known[key], data, initial=initial.get(key), prefix=key)
            for key in ("sft", "merge", "quantize", "evaluate")
            if key in known
        }
        for key in AFTER:  # a step whose stage this studio lacks is not offered
            if key not in known and key in launch.fields:
                del launch.fields[key]

    def is_valid(self) -> bool:
        return all([self.launch.is_valid(), *(form.is_valid() for form in self.stages.values())])

    def params(self, stage: str) -> dict[str, Any]:
        """Cleaned parameters of a stage, as far as they are valid."""
        form = self.stages[stage]
        form.is_valid()
        return (
            params_from(form) if form.is_bound else {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
        )

    def steps(self) -> list[Step]:
        """The steps that were asked for, in the order in which they shall run. Call after ``is_valid``."""
        chosen = self.launch.cleaned_data
        wanted = ["sft"]
        wanted += ["evaluate"] if chosen.get("evaluate") else []
        wanted += ["merge", "quantize"] if chosen.get("quantize") else []
        return [{"stage": key, "params": self.params(key)} for key in wanted if key in self.stages]

    def add_errors(self, fields: dict[str, str]) -> None:
        """Put what the service refused beside the fields it is about."""
        for name, text in fields.items():
            stage, _, field = name.partition("-")
            form = self.stages.get(stage, self.launch)
            form.add_error(field if field in form.fields else None, text)


class CompareForm(forms.Form):
    """Which runs to lay over one another."""

    run = forms.MultipleChoiceField(
        label="Runs",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "One of the runs is not there any more."},
    )
