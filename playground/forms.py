"""What a person types into the chat."""

from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator

from playground.models import Feedback, Reason
from playground.selectors import model_label, models_to_talk_to
from projects.models import Project
from runs.models import Artifact

LONGEST_QUESTION = 4000
LONGEST_CORRECTION = 8000


class AskForm(forms.Form):
    question = forms.CharField(
        max_length=LONGEST_QUESTION, widget=forms.Textarea(attrs={"rows": 2, "dir": "auto", "placeholder": "Ask about your domain"})
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
    """A thumb; where it points down, what was wrong and what the answer should have been, of which no browser shall cut the end."""

    good = forms.TypedChoiceField(choices=[("yes", "Good"), ("no", "Not good")], coerce=lambda value: value == "yes")
    correction = forms.CharField(
        label="What should it have said?",
        required=False,
        validators=[
            MaxLengthValidator(LONGEST_CORRECTION, f"At most {LONGEST_CORRECTION:,} characters. Shorten it: what you typed is still here.")
        ],
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
        help_text="Mend the answer here. Left as it is, it counts as not corrected.",
    )
    reasons = forms.MultipleChoiceField(
        label="What was wrong?", required=False, choices=Reason.choices, widget=forms.CheckboxSelectMultiple
    )

    @classmethod
    def of(cls, feedback: Feedback) -> "FeedbackForm":
        message = feedback.message
        told = {"good": "no", "correction": feedback.correction or message.text, "reasons": feedback.reasons}
        return cls(initial=told, auto_id=f"rating-{message.pk}-%s")


class RatedAnswerForm(forms.Form):
    """The answer of a pair that is made of a rated one."""

    answer = forms.CharField(
        label="What the model should say",
        widget=forms.Textarea(attrs={"rows": 8, "dir": "auto"}),
        error_messages={"required": "Write what the model should have said: a pair teaches the right answer."},
    )
