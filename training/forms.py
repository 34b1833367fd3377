"""The form of "Start training": by which method, what on what, and what comes afterwards."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalogue.selectors import BaseModelState
from catalogue.tree import model_name
from engine import registry
from projects.templatetags.studio import size
from runs.forms import PriorityForm
from runs.models import Artifact, Priority
from training import methods
from training.methods import Method
from training.offer import Offer, preference_rows
from training.preflight import FEWEST_PAIRS
from training.selectors import dataset_label
from training.steps import stages_of

SUPPLIED = {"hf-model", "adapter", "dataset", "chunks", "reward-model"}  # kinds that the page can hand to the first step


class LaunchForm(PriorityForm):
    """Everything but the stages' parameters. Only base models that are on this machine can be chosen."""

    by_method = forms.ChoiceField(label="Method", widget=forms.RadioSelect, required=False)
    base_key = forms.ChoiceField(label="Base model", widget=forms.RadioSelect)
    adapter = forms.ChoiceField(
        label="Go on from",
        required=False,
        help_text="An adapter of this project on the same base model. What it has learnt is kept and built upon.",
    )
    teacher = forms.ChoiceField(label="Teacher", help_text="A larger model of the same family, with the same vocabulary.")
    reward = forms.ChoiceField(label="Reward model", help_text="The judge whose scores the model learns from, on the same base model.")
    writer = forms.ChoiceField(label="Teacher", widget=forms.RadioSelect)
    dataset = forms.ChoiceField(
        label="Dataset version", help_text="Training reads its train and validation pairs; the test pairs stay unseen."
    )
    preset = forms.ChoiceField(label="How thorough", widget=forms.RadioSelect, initial=methods.DEFAULT_PRESET, required=False)
    then = forms.ChoiceField(
        label="Then also",
        required=False,
        help_text="A second method that goes on from what the first has made, as thorough as the first, its other settings as usual.",
    )
    then_2 = forms.ChoiceField(label="And after that", required=False)
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

    def __init__(self, data: Any = None, *, offer: Offer, method: Method, initial: Mapping[str, Any]) -> None:
        super().__init__(data, initial=dict(initial))
        self.offer = offer
        self.main = method
        self.datasets = {str(dataset.pk): dataset for dataset in offer.datasets}
        self.adapters = {str(adapter.pk): adapter for adapter in offer.adapters}
        self.rewards = {str(judge.pk): judge for judge in offer.rewards}
        self.bases = {state.key: state for state in offer.bases if state.here}
        self.elsewhere = [state for state in offer.bases if not state.here]
        if self.initial.get("base_key") not in self.bases and self.bases:
            self.initial["base_key"] = next(iter(self.bases))
        self._fill()
        self._leave_out()

    def _fill(self) -> None:
        offer, main = self.offer, self.main
        priority = self.fields["priority"]
        assert isinstance(priority, forms.TypedChoiceField)
        priority.initial, priority.empty_value = "", None
        named = [(str(key), label) for key, label in Priority.choices]
        self._choices("priority", [("", "As usual: normal, or low where several values are tried"), *named])
        self._choices("by_method", [(one.key, _choice(one.title, one.description, one.when)) for one in self.cards()])
        self._choices("base_key", [(key, _base_label(state)) for key, state in self.bases.items()])
        fresh = [] if main.follows else [("", "The base model as it is")]
        self._choices("adapter", fresh + [(key, _adapter_label(adapter)) for key, adapter in self.adapters.items()])
        self.fields["adapter"].required = main.follows
        self._choices("teacher", offer.teachers)
        self._choices("reward", [(key, _adapter_label(judge)) for key, judge in self.rewards.items()])
        self._choices(
            "writer", [(one.key, _choice(one.name, "On this machine" if one.here else f"At {one.host}")) for one in offer.writers]
        )
        self._choices("dataset", [(key, dataset_label(dataset)) for key, dataset in self.datasets.items()])
        self.fields["dataset"].required = self.needs_dataset(main)
        if not self.needs_dataset(main):
            self.fields["dataset"].help_text = "This method does not learn from it; the evaluation asks its test pairs."
        known = methods.presets()
        self._choices("preset", [(key, _choice(known[key].title, known[key].description)) for key in main.presets])
        following = [("", "Nothing more"), *((one.key, f"{methods.groups()[one.group].title}: {one.title}") for one in self._following())]
        self._choices("then", following)
        self._choices("then_2", following)

    def _leave_out(self) -> None:
        """What has no place in this method's form."""
        there = {info.key for info in registry.all_stages()}
        allowed = methods.afterwards(self.chain()[-1].makes)
        gone = {
            "adapter": not (self.main.takes("adapter") and (self.adapters or self.main.follows)),
            "teacher": "teacher" not in self.main.needs,
            "reward": "reward" not in self.main.needs,
            "writer": not self.main.asks,
            "dataset": not self.datasets and not self.needs_dataset(self.main),
            "preset": not self.main.presets,
            "then": len(self.fields["then"].choices) == 1,  # type: ignore[attr-defined]
            "then_2": len(self.chain()) == 1,
            "evaluate": "evaluate" not in allowed or "evaluate" not in there or not self.datasets,
            "quantize": "quantize" not in allowed or not {"merge", "quantize"} <= there,
        }
        for name in [name for name, out in gone.items() if out]:
            del self.fields[name]

    def _choices(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @staticmethod
    def needs_dataset(method: Method) -> bool:
        return bool({"pairs", "preferences"} & set(method.needs))

    def cards(self) -> list[Method]:
        """The methods that can be the first."""
        return [one for one in self.offer.methods.values() if can_be_first(one)]

    def _following(self) -> list[Method]:
        """The methods that can come after the main one with what the page knows."""
        if self.main.makes == "soft-prompt":
            return []
        documents = self.offer.reading.documents
        return [
            one
            for one in self.offer.methods.values()
            if one.key != self.main.key
            and "teacher" not in one.needs
            and not one.asks
            and ("documents" not in one.needs or documents)
            and ("reward" not in one.needs or any(before.makes == "reward-model" for before in self.chain()))
        ]

    def chosen(self, name: str) -> str:
        """What stands in a field now, valid or not."""
        value = self.data.get(name) if self.is_bound else self.initial.get(name)
        return str(value or "")

    def chain(self) -> list[Method]:
        """The main method and those that follow it, as far as they are known."""
        known = self.offer.methods
        return [self.main, *(known[key] for name in ("then", "then_2") if (key := self.chosen(name)) in known)]

    def chosen_dataset(self) -> Artifact | None:
        """The one chosen, or the newest while nothing is."""
        return self.datasets.get(self.chosen("dataset")) or next(iter(self.datasets.values()), None)

    def chosen_base(self) -> BaseModelState | None:
        return self.bases.get(self.chosen("base_key") or str(self.initial.get("base_key", "")))

    def clean(self) -> dict[str, Any]:
        chosen = super().clean() or {}
        chain = self.chain()
        if len({one.key for one in chain}) < len(chain):
            self.add_error("then", "Each method can be used once.")
        dataset = self.datasets.get(chosen.get("dataset", ""))
        for one in chain[1:]:
            if self.needs_dataset(one) and dataset is None:
                self.add_error("then", f"{one.title} needs a dataset version.")
            elif "preferences" in one.needs and dataset and preference_rows(dataset) < FEWEST_PAIRS:
                self.add_error("then", f"{one.title} needs pairs with a rejected answer; this version has {preference_rows(dataset)}.")
        if chosen.get("evaluate") and dataset is None and "dataset" in self.fields and "dataset" not in self.errors:
            self.add_error("dataset", "Choose a version for the evaluation, or leave it out.")
        return chosen

    def stages(self, *, small_file: bool = True) -> list[str]:
        """In the order in which they shall run; without ``small_file`` none is made, also where it was ticked. Call after ``is_valid``."""
        chosen = self.cleaned_data
        return stages_of(self.chain(), evaluate=bool(chosen.get("evaluate")), quantize=small_file and bool(chosen.get("quantize")))


def can_be_first(method: Method) -> bool:
    """Whether the page can hand it everything it must have."""
    supplied = all(kind in SUPPLIED for kind, required in method.info.roles.values() if required)
    return supplied and (not method.follows or method.takes("adapter"))


def _choice(title: str, text: str, more: str = "") -> SafeString:
    extra = format_html('<span class="help">{}</span>', more) if more else ""
    return format_html('<span class="strong">{}</span><span class="help">{}</span>{}', title, text, extra)


def _adapter_label(adapter: Artifact) -> str:
    return f"{model_name(adapter)}, made {adapter.created_at:%-d %b %Y}"


def _base_label(state: BaseModelState) -> SafeString:
    spec = state.spec
    facts = f"{spec.size} parameters, {spec.context:,} tokens of context, {size(spec.memory_fp16)} in 16 bit. "
    facts += spec.summary
    return _choice(spec.name, facts if state.imported else facts + " Is imported first, which takes about a minute.")
