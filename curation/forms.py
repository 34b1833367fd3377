"""Forms for pairs and dataset versions."""

from django import forms

from curation.models import Pair, PairStatus
from curation.services.writing import MISSING

EITHER_WAY = {"dir": "auto"}  # texts of people run left to right or right to left


class PairForm(forms.Form):
    """Question and answer, as a person writes them. How long they may be the services say: a browser would cut what is pasted in."""

    advanced = ("system",)

    question = forms.CharField(
        label="Question",
        widget=forms.Textarea(attrs={"rows": 2, **EITHER_WAY}),
        error_messages={"required": MISSING["question"]},
    )
    answer = forms.CharField(
        label="Answer",
        widget=forms.Textarea(attrs={"rows": 8, **EITHER_WAY}),
        help_text="What the model shall answer, in the words and the form you want to hear from it.",
        error_messages={"required": MISSING["answer"]},
    )
    system = forms.CharField(
        label="System prompt",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, **EITHER_WAY}),
        help_text="Only where this pair needs a role of its own, for example “You answer for the service desk”.",
    )


class ReviewForm(PairForm):
    """A pair under review: its words, a note, and the state the reviewer saw."""

    note = forms.CharField(
        label="Note to the writer",
        required=False,
        max_length=500,
        help_text="Needed when you ask for changes; kept with the pair.",
    )
    revision = forms.IntegerField(widget=forms.HiddenInput)
    status = forms.ChoiceField(choices=PairStatus.choices, widget=forms.HiddenInput)

    @classmethod
    def of(cls, pair: Pair) -> "ReviewForm":
        words = {"question": pair.question, "answer": pair.answer, "system": pair.system}
        return cls(initial={**words, "note": pair.note, "revision": pair.revision, "status": pair.status})
