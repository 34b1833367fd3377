"""What a person types into the chat."""

from typing import Any

from django import forms

from playground.selectors import model_label, models_to_talk_to
from projects.models import Project
from runs.models import Artifact

LONGEST_QUESTION = 4000


class AskForm(forms.Form):
    question = forms.CharField(
        max_length=LONGEST_QUESTION, widget=forms.Textarea(attrs={"rows": 2, "placeholder": "Ask about your domain"})
    )
    with_documents = forms.BooleanField(label="Answer from the documents", required=False, initial=True)
    model = forms.ChoiceField(label="Model", required=False)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.artifacts = {str(artifact.pk): artifact for artifact in models_to_talk_to(project)}
        self.fields["model"].choices = [(key, model_label(artifact)) for key, artifact in self.artifacts.items()]  # type: ignore[attr-defined]

    @property
    def chosen_model(self) -> Artifact | None:
        return self.artifacts.get(self.cleaned_data.get("model", ""))


class FeedbackForm(forms.Form):
    good = forms.TypedChoiceField(choices=[("yes", "Good"), ("no", "Not good")], coerce=lambda value: value == "yes")
    correction = forms.CharField(required=False, max_length=8000, widget=forms.Textarea(attrs={"rows": 4}))
