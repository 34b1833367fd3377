"""Forms of the work of several people on pairs: a response, how a project collects them, who is asked, a comment."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from curation.forms import EITHER_WAY
from curation.messages import words_of
from curation.models import CollectionSettings, Difficulty, Pair, Response, Tag, Verdict
from curation.services.assigning import Assignable
from curation.services.collection import GUIDELINES_LIMIT, LONGEST_LOCK, MOST_RESPONSES
from curation.services.commenting import COMMENT_LIMIT as PAIR_COMMENT_LIMIT
from curation.services.responding import COMMENT_LIMIT, Said
from curation.services.tagging import NAME_LIMIT
from projects.models import User

KEYS = 9  # tags that have a key


class ResponseForm(forms.Form):
    """What a person says of a pair. Nothing is required here: a draft may be unfinished, and the service says what is missing."""

    question = forms.CharField(label="Question", required=False, widget=forms.Textarea(attrs={"rows": 2, **EITHER_WAY}))
    answer = forms.CharField(label="Answer", required=False, widget=forms.Textarea(attrs={"rows": 8, **EITHER_WAY}))
    system = forms.CharField(label="System prompt", required=False, widget=forms.Textarea(attrs={"rows": 2, **EITHER_WAY}))
    verdict = forms.ChoiceField(label="Is it good to train on?", choices=Verdict.choices, required=False, widget=forms.RadioSelect)
    tags = forms.MultipleChoiceField(label="Tags", required=False, widget=forms.CheckboxSelectMultiple)
    topic = forms.CharField(
        label="Topic",
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"list": "topics", "autocomplete": "off", **EITHER_WAY}),
        help_text="Completed from the topics pairs have here. Different topics are a disagreement.",
    )
    difficulty = forms.ChoiceField(label="Difficulty", required=False, choices=[("", "Not said"), *Difficulty.choices])
    comment = forms.CharField(
        label="Comment for the reviewer",
        required=False,
        max_length=COMMENT_LIMIT,
        widget=forms.Textarea(attrs={"rows": 2, **EITHER_WAY}),
    )
    revision = forms.IntegerField(widget=forms.HiddenInput)
    seconds = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, tags: Sequence[Tag] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tags"].choices = [(tag.pk, tag.name) for tag in tags]  # type: ignore[attr-defined]

    @classmethod
    def of(cls, response: Response, tags: Sequence[Tag]) -> "ResponseForm":
        kept = {name: getattr(response, name) for name in ("verdict", "tags", "topic", "difficulty", "comment", "revision")}
        return cls(initial={**words_of(response.messages)._asdict(), "seconds": 0, **kept}, tags=tags)


def said_of(data: Any) -> Said:
    """What was posted, however unfinished."""
    words = {name: str(data.get(name, "")) for name in ("question", "answer", "system", "verdict", "topic", "difficulty", "comment")}
    tags = tuple(int(pk) for pk in data.getlist("tags") if pk.isdecimal())
    return Said(**words, tags=tags, seconds=_number(data, "seconds"))


def revision_of(data: Mapping[str, str]) -> int:
    """The revision that was posted; 0, which no response has, for none."""
    return _number(data, "revision")


def _number(data: Mapping[str, str], name: str) -> int:
    text = data.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


class CollectionForm(forms.Form):
    """How a project collects responses."""

    overlap = forms.IntegerField(
        label="Responses a pair",
        min_value=1,
        max_value=MOST_RESPONSES,
        help_text="How many people answer each pair. With two or more you see how far they agree, and disputes come to a reviewer.",
    )
    lock_minutes = forms.IntegerField(
        label="Minutes a pair stays with whoever opened it",
        min_value=1,
        max_value=LONGEST_LOCK,
        help_text="While they work the time starts anew. When they go away, the pair comes free after this long.",
    )
    tags = forms.CharField(
        label="Tags, one a line",
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="The first nine have the keys 1 to 9. To remove a tag from the project, take it off its pairs.",
    )
    guidelines = forms.CharField(
        label="Guidelines",
        required=False,
        max_length=GUIDELINES_LIMIT,
        widget=forms.Textarea(attrs={"rows": 14}),
        help_text="Markdown. What makes a pair good here, with an example of each; one key away while annotating.",
    )

    @classmethod
    def of(cls, collection: CollectionSettings, tags: Sequence[Tag]) -> "CollectionForm":
        kept = {name: getattr(collection, name) for name in ("overlap", "lock_minutes", "guidelines")}
        return cls(initial={**kept, "tags": "\n".join(tag.name for tag in tags)})

    def clean_tags(self) -> list[str]:
        names = [line.strip() for line in self.cleaned_data["tags"].splitlines() if line.strip()]
        if long := [name for name in names if len(name) > NAME_LIMIT]:
            raise forms.ValidationError(f"“{long[0][:60]}” is longer than {NAME_LIMIT} characters.")
        return names


class AssignForm(forms.Form):
    """Who is asked to work on what."""

    people = forms.MultipleChoiceField(label="People", widget=forms.CheckboxSelectMultiple)
    what = forms.ChoiceField(label="Work on")

    def __init__(self, *args: Any, people: Sequence[User], what: Sequence[Assignable], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["people"].choices = [(person.pk, str(person)) for person in people]  # type: ignore[attr-defined]
        self.fields["what"].choices = [(one.key, one.title) for one in what]  # type: ignore[attr-defined]


class CommentForm(forms.Form):
    text = forms.CharField(
        label="Comment",
        max_length=PAIR_COMMENT_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3, **EITHER_WAY}),
        help_text="Name a member with @ and they find it among their mentions.",
        error_messages={"required": "Write a comment."},
    )


def pair_words(pair: Pair) -> dict[str, str]:
    """The words of ``pair`` as a response form names them."""
    return words_of(pair.messages)._asdict()
