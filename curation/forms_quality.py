"""Which pairs the quality gate looks at."""

from typing import Any

from django import forms

from curation.query import context_tokens
from curation.selecting import APPROVED
from curation.selectors.filters import saved_filters
from curation.selectors.quality import KEPT
from projects.models import Project, User

SETS = {"approved": APPROVED, "kept": KEPT}


class GateForm(forms.Form):
    pairs = forms.ChoiceField(
        label="Pairs",
        required=False,
        help_text="A dataset version is cut from the approved ones, unless a filter says otherwise.",
    )
    context_tokens = forms.IntegerField(
        label="Longest text in tokens", required=False, min_value=64, max_value=131_072, help_text="What training will read of one pair."
    )
    advanced = ("context_tokens",)

    def __init__(self, *args: Any, project: Project, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.saved = {f"filter-{one.pk}": one for one in saved_filters(project, user)}
        field: forms.ChoiceField = self.fields["pairs"]  # type: ignore[assignment]
        field.choices = [
            ("approved", "Approved pairs"),
            ("kept", "All pairs but the rejected"),
            *((key, f"Filter “{one.name}”") for key, one in self.saved.items()),
        ]
        self.fields["context_tokens"].initial = context_tokens()

    @property
    def tree(self) -> dict[str, Any]:
        """The filter of the pairs chosen; the approved ones where nothing was."""
        chosen = self.cleaned_data["pairs"] or "approved"
        return SETS[chosen] if chosen in SETS else self.saved[chosen].tree

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the stage."""
        return {"context_tokens": self.cleaned_data["context_tokens"] or context_tokens()}
