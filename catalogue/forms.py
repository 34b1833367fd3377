"""Adding a base model by its folder."""

from django import forms


class LocalModelForm(forms.Form):
    name = forms.CharField(label="Name", max_length=120)
    path = forms.CharField(
        label="Place",
        max_length=300,
        help_text="Inside the folder for models: a Hugging Face folder, or one GGUF file.",
    )
    licence = forms.CharField(
        label="Licence",
        max_length=120,
        required=False,
        help_text="Shown on the card of every model that is made from it.",
    )
