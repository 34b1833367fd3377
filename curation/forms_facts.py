"""What a pair carries beside its question and answer, on the form that has both: turns between them, labels, the worse answer."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from curation.errors import PairError
from curation.labels import LABELS, Labels, rejected_answer, tags_of
from curation.messages import turns_between
from curation.models import Difficulty, Message, Pair, Tag
from curation.services.tagging import tags_ensure

ROLES = (("assistant", "Answer"), ("user", "Question"))


class TurnsInput(forms.Widget):
    """A list of turns, each a role and a text; what is left empty is left out."""

    use_fieldset = True

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return render_to_string("curation/_turns.html", {"name": name, "turns": value or [], "roles": ROLES})

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[Message]:
        pairs = zip(data.getlist(f"{name}_role"), data.getlist(f"{name}_text"), strict=False)
        return [{"role": role, "content": text} for role, text in pairs if role in dict(ROLES)]


class TurnsField(forms.Field):
    widget = TurnsInput


class FactsForm(forms.Form):
    """Sent together with the words of a pair; ``facts`` tells that it was, for a form without these fields leaves them as they are."""

    facts = forms.CharField(widget=forms.HiddenInput, initial="1")
    turns = TurnsField(label="Turns between the question and the answer", required=False)
    topic = forms.CharField(label="Topic", required=False, max_length=LABELS["topic"])
    tags = forms.TypedMultipleChoiceField(label="Tags", required=False, coerce=int, widget=forms.CheckboxSelectMultiple)
    new_tag = forms.CharField(label="New tag", required=False, max_length=40)
    difficulty = forms.ChoiceField(label="Difficulty", required=False, choices=[("", "Not set"), *Difficulty.choices])
    language = forms.CharField(label="Language", required=False, max_length=LABELS["language"], help_text="A code such as en or de.")
    rejected = forms.CharField(
        label="Rejected answer",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="For preference training: a worse answer to the same question, which the model learns to avoid.",
    )

    def __init__(self, data: Any = None, *, pair: Pair, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        tags = Tag.objects.filter(project=pair.project_id).values_list("pk", "name")
        self.fields["tags"].choices = list(tags)  # type: ignore[attr-defined]
        if rejected_answer(pair) is None:
            del self.fields["rejected"]  # worse turns, not one answer: shown beside the chosen ones

    @classmethod
    def of(cls, pair: Pair) -> "FactsForm":
        kept = {name: getattr(pair, name) for name in LABELS}
        more = {"turns": turns_between(pair.messages), "tags": tags_of(pair), "rejected": rejected_answer(pair)}
        return cls(pair=pair, initial={**kept, **more, "facts": "1"})

    @classmethod
    def shown(cls, posted: QueryDict, pair: Pair, refused: PairError | None = None) -> "FactsForm":
        """As it stands on the page: with what was typed where it was sent and ``refused``, and at each field why."""
        if "facts" not in posted:
            return cls.of(pair)
        form = cls(posted, pair=pair)
        for name, text in (refused.fields if refused else {}).items():
            if name in form.fields and name not in form.errors:
                form.add_error(name, text)
        return form

    @classmethod
    def sent(cls, posted: QueryDict, pair: Pair) -> dict[str, Any]:
        """``turns`` and ``labels`` for the services; empty where the form was not sent. Raises ``PairError``."""
        if "facts" not in posted:
            return {}
        form = cls(posted, pair=pair)
        if not form.is_valid():
            raise PairError("Some fields are not right.", {name: " ".join(map(str, errors)) for name, errors in form.errors.items()})
        data = form.cleaned_data
        tags: Sequence[int] = data["tags"]
        if data["new_tag"].strip():
            tags = [*tags, *(tag.pk for tag in tags_ensure(project=pair.project, names=[data["new_tag"]]).values())]
        labels = Labels(**{name: data[name] for name in LABELS}, tags=tags, rejected=data.get("rejected"))
        return {"turns": data["turns"], "labels": labels}
