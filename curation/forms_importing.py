"""The form of an import: how the file is read, and which column is which."""

from collections.abc import Mapping
from typing import Any

from django import forms

from curation.import_settings import AUTO, ImportSettings
from engine.lib.pair_formats import FORMATS
from engine.lib.pair_formats.file_types import DELIMITERS, ENCODINGS

COLUMN, FIELD = "column-", "field-"  # names of the inputs, with the column's place


class ImportForm(forms.Form):
    """How a file is opened. The columns stand beside it: what they are the file alone knows."""

    format = forms.ChoiceField(label="Format", choices=[(AUTO, "Find out"), *((key, one.title) for key, one in FORMATS.items())])
    encoding = forms.ChoiceField(label="Encoding", choices=list(ENCODINGS.items()), required=False)
    delimiter = forms.ChoiceField(label="Between columns", choices=list(DELIMITERS.items()), required=False)
    sheet = forms.ChoiceField(label="Sheet", required=False)
    header = forms.BooleanField(label="The first row names the columns", required=False)

    def __init__(self, *args: Any, kind: str, sheets: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sheet"].choices = [(name, name) for name in sheets]  # type: ignore[attr-defined]
        here = {"csv": {"encoding", "delimiter", "header"}, "excel": {"sheet", "header"}, "lines": {"encoding"}, "array": {"encoding"}}
        for name in {"encoding", "delimiter", "sheet", "header"} - here.get(kind, set()):
            del self.fields[name]

    @classmethod
    def of(cls, settings: ImportSettings, *, kind: str, sheets: list[str], sheet: str) -> "ImportForm":
        return cls(initial={**settings.as_dict(), "sheet": sheet}, kind=kind, sheets=sheets)


def settings_from(data: Mapping[str, str], before: ImportSettings, kind: str) -> ImportSettings:
    """What was sent. A field that this kind of file does not have stays as it was."""
    sent: dict[str, Any] = {
        **before.as_dict(),
        **{name: data[name] for name in ("format", "encoding", "delimiter", "sheet") if name in data},
    }
    if kind in ("csv", "excel"):
        sent["header"] = "header" in data
    places = [key.removeprefix(COLUMN) for key in data if key.startswith(COLUMN)]
    mapping = {data[COLUMN + place]: data.get(FIELD + place, "") for place in places}
    return ImportSettings.from_dict({**sent, "mapping": mapping or before.mapping})
