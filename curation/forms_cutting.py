"""The form that cuts a dataset version."""

from typing import Any

from django import forms

from catalogue.selectors import base_models
from curation.filters import FilterError, Group, filter_parse
from curation.gate import Gate, last_gate_seen
from curation.models import Tag
from curation.selectors.filters import saved_filters
from curation.services.cutting import REASON_LIMIT
from curation.services.cutting_chore import Cut
from curation.services.rehearsing import MOST_PERCENT, USUAL_PERCENT, general_tag
from curation.splitting import FRACTIONS, SEED
from projects.models import Project, User

LICENCE_LIMIT = 300  # characters


class CutForm(forms.Form):
    """Which pairs go into a dataset version, and how it is split. ``f`` is a filter in an address, which counts before a saved one."""

    advanced = ("seed", "licence")

    f = forms.CharField(required=False, widget=forms.HiddenInput)
    saved_filter = forms.ChoiceField(
        label="Pairs", required=False, help_text="The approved pairs, or those of a filter that was saved at the table of pairs."
    )
    train = forms.IntegerField(label="Train, percent", min_value=1, max_value=98, initial=round(FRACTIONS[0] * 100))
    validation = forms.IntegerField(label="Validation, percent", min_value=1, max_value=98, initial=round(FRACTIONS[1] * 100))
    test = forms.IntegerField(label="Test, percent", min_value=1, max_value=98, initial=round(FRACTIONS[2] * 100))
    rehearsal_tag = forms.ChoiceField(
        label="General data",
        required=False,
        help_text="Pairs with this tag and without a source are mixed into the training split: the model rehearses what it knew before.",
    )
    rehearsal_percent = forms.IntegerField(
        label="Its share of the training split, percent", required=False, min_value=0, max_value=MOST_PERCENT, initial=0
    )
    rehearsal_model = forms.ChoiceField(
        label="Base model that writes it",
        required=False,
        widget=forms.Select(attrs={"form": "rehearsal-form"}),  # not the form that cuts: Enter there must cut
        help_text="The one you will train: its own answers to general questions are what it rehearses.",
    )
    seed = forms.IntegerField(
        label="Seed",
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        initial=SEED,
        help_text="The same pairs with the same seed are split the same way.",
    )
    licence = forms.CharField(
        label="Licence",
        required=False,
        max_length=LICENCE_LIMIT,
        help_text="On what terms these data may be used and passed on; it stands on the data card.",
    )
    override_reason = forms.CharField(
        label="Why it is cut all the same",
        required=False,
        max_length=REASON_LIMIT,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Kept with the version, on its data card and in the audit log.",
    )

    def __init__(self, *args: Any, project: Project, user: User, may_override: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._filters = {str(one.pk): one for one in saved_filters(project, user)}
        tags = {str(one.pk): one for one in Tag.objects.filter(project=project)}
        shared = [(key, f"{one.name} (saved filter)") for key, one in self._filters.items()]
        self.fields["saved_filter"].choices = [("", "Approved pairs"), *shared]  # type: ignore[attr-defined]
        self.fields["rehearsal_tag"].choices = [("", "None"), *((key, tag.name) for key, tag in tags.items())]  # type: ignore[attr-defined]
        self._offer_general_data(project)
        self.gate = self._gate(project)
        if not (self.gate.failed and may_override):
            del self.fields["override_reason"]

    def _offer_general_data(self, project: Project) -> None:
        """Its usual share where there is some; where there is none, the base models that can write it."""
        if tag := general_tag(project):
            self.fields["rehearsal_tag"].initial = str(tag.pk)
            self.fields["rehearsal_percent"].initial = USUAL_PERCENT
        models = [] if tag else [(state.key, state.name) for state in base_models() if state.here]
        self.fields["rehearsal_model"].choices = models  # type: ignore[attr-defined]
        if not models:
            del self.fields["rehearsal_model"]

    def _gate(self, project: Project) -> Gate:
        """What the quality gate says of the pairs chosen so far; of the approved ones where that filter cannot be read."""
        try:
            return last_gate_seen(project, self._tree_of(filter_parse(self["f"].value() or ""), self["saved_filter"].value()))
        except FilterError:
            return last_gate_seen(project)

    def clean_f(self) -> Group:
        try:
            return filter_parse(self.cleaned_data["f"])
        except FilterError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        if data["train"] + data["validation"] + data["test"] != 100:
            raise forms.ValidationError(
                f"The three shares come to {data['train'] + data['validation'] + data['test']}%. They must come to 100%."
            )
        if data.get("rehearsal_percent") and not data["rehearsal_tag"]:
            self.add_error("rehearsal_tag", "Choose the tag of the general data, or set its share to 0.")
        return data

    @property
    def cut(self) -> Cut:
        """What is to be cut, and how."""
        data = self.cleaned_data
        percent = data.get("rehearsal_percent") or 0
        return Cut(
            tree=self._tree_of(data["f"], data["saved_filter"]),
            fractions=(data["train"] / 100, data["validation"] / 100, data["test"] / 100),
            seed=data["seed"] if data.get("seed") is not None else self.fields["seed"].initial,
            licence=data["licence"],
            override_reason=data.get("override_reason", ""),
            tag=int(data["rehearsal_tag"]) if percent else None,
            percent=percent,
        )

    @property
    def typed(self) -> dict[str, str]:
        """What was entered, as it was sent."""
        return {name: self.data[name] for name in self.fields if name in self.data}

    def _tree_of(self, asked: Group, saved: str | None) -> dict[str, Any] | None:
        """The filter that counts, that of an address or a saved one; None for the approved pairs."""
        if asked.parts:
            return asked.tree()
        chosen = self._filters.get(str(saved))
        return chosen.tree if chosen else None
