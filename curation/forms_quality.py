"""Which pairs the quality gate looks at, and for which model."""

from typing import Any

from django import forms

from curation.filters import FilterError, Group, filter_parse
from curation.query import context_tokens
from curation.selecting import APPROVED
from curation.selectors.bases import bases_of
from curation.selectors.filters import filter_words, saved_filters
from curation.selectors.quality import KEPT
from projects.models import Project, User

SETS = {"approved": APPROVED, "kept": KEPT}


class GateForm(forms.Form):
    """``f`` is a filter as it travels in an address; with one, no other pairs can be chosen, and ``words`` says which they are."""

    f = forms.CharField(required=False, widget=forms.HiddenInput)
    pairs = forms.ChoiceField(
        label="Pairs",
        required=False,
        help_text="A dataset version is cut from the approved ones, unless a filter says otherwise.",
    )
    model = forms.ChoiceField(
        label="Model to be trained",
        required=False,
        help_text="Its chat template and tokenizer tell which pairs fit. Without one a common template is tried and lengths are estimated.",
    )
    context_tokens = forms.IntegerField(
        label="Longest text in tokens", required=False, min_value=64, max_value=131_072, help_text="What training will read of one pair."
    )
    advanced = ("context_tokens",)

    def __init__(self, *args: Any, project: Project, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.saved = {f"filter-{one.pk}": one for one in saved_filters(project, user)}
        self._choices(
            "pairs",
            [
                ("approved", "Approved pairs"),
                ("kept", "All pairs but the rejected"),
                *((key, f"Filter “{one.name}”") for key, one in self.saved.items()),
            ],
        )
        bases = bases_of(project)
        self._choices("model", [("", "None"), *((one.key, f"{one.name}, as planned" if one.planned else one.name) for one in bases)])
        self.fields["model"].initial = next((one.key for one in bases if one.planned), "")
        self.fields["context_tokens"].initial = context_tokens()
        self.words = _words(project, self["f"].value() or "")
        if self.words:
            del self.fields["pairs"]

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean_f(self) -> Group:
        try:
            return filter_parse(self.cleaned_data["f"])
        except FilterError as error:
            raise forms.ValidationError(str(error)) from None

    def clean_model(self) -> str:
        """The planned one where a button asks for no model at all."""
        return str(self.cleaned_data["model"] if "model" in self.data else self.fields["model"].initial)

    @property
    def tree(self) -> dict[str, Any]:
        """The filter of the pairs chosen; the approved ones where nothing was."""
        asked: Group = self.cleaned_data["f"]
        if asked.parts:
            return asked.tree()
        chosen = self.cleaned_data["pairs"] or "approved"
        return SETS[chosen] if chosen in SETS else self.saved[chosen].tree

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the stage."""
        return {"context_tokens": self.cleaned_data["context_tokens"] or context_tokens()}

    @property
    def typed(self) -> dict[str, str]:
        """What was chosen, as it was sent."""
        return {name: self.data[name] for name in self.fields if name in self.data}


def _words(project: Project, text: str) -> str:
    """Which pairs the filter in an address means; empty for none, and for one that cannot be read."""
    try:
        asked = filter_parse(text)
    except FilterError:
        return ""
    return filter_words(project, asked) if asked.parts else ""
