"""Forms for text that is no file of a document yet."""

from django import forms
from django.utils.html import format_html

from retrieval.services.adding import SOURCES

TEXT_LIMIT = 2_000_000  # characters


class TextForm(forms.Form):
    """A text as it is pasted."""

    title = forms.CharField(label="Title", max_length=120, help_text="The document's name. The same title again makes a new version of it.")
    text = forms.CharField(
        label="Text", max_length=TEXT_LIMIT, widget=forms.Textarea(attrs={"rows": 12}), help_text="Plain text or Markdown."
    )


class SourceForm(forms.Form):
    """A file that holds many documents."""

    kind = forms.ChoiceField(
        label="What it is",
        choices=[(one.key, format_html('{}<span class="help">{}</span>', one.title, one.about)) for one in SOURCES.values()],
        widget=forms.RadioSelect,
    )
    file = forms.FileField(label="File", widget=forms.FileInput)
