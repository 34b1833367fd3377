"""What pages of documents and search read from an address or a form."""

from typing import Any
from uuid import UUID

from django import forms

MODES = (("hybrid", "Meaning and words"), ("vector", "Meaning"), ("keyword", "Words"))


class SearchForm(forms.Form):
    q = forms.CharField(label="Question", required=False, max_length=2000, strip=True)
    mode = forms.ChoiceField(label="Ranked by", choices=MODES, required=False, initial="hybrid")

    def clean_mode(self) -> str:
        return self.cleaned_data["mode"] or "hybrid"


class SpanForm(forms.Form):
    """The span that a citation opens, and the version it was cited from. What cannot be read is left out, not refused: links grow old."""

    start = forms.IntegerField(min_value=0, required=False)
    end = forms.IntegerField(min_value=0, required=False)
    part = forms.IntegerField(min_value=1, required=False)
    version = forms.UUIDField(required=False)

    def span(self, length: int) -> tuple[int, int] | None:
        self.is_valid()
        start, end = self.cleaned_data.get("start"), self.cleaned_data.get("end")
        if start is None or end is None or not start < end or start >= length:
            return None
        return start, min(end, length)


class BulkForm(forms.Form):
    action = forms.ChoiceField(choices=[("delete", "Delete"), ("retry", "Read again")])
    all = forms.BooleanField(required=False)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.ids: list[UUID] = []

    def clean(self) -> dict[str, Any]:
        try:
            self.ids = [UUID(value) for value in self.data.getlist("ids")]
        except ValueError:
            raise forms.ValidationError("One of the chosen documents does not exist.") from None
        return self.cleaned_data
