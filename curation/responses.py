"""The responses to a pair side by side, with the words in which they differ."""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.messages import words_of
from curation.models import Pair, Response, ResponseState, Tag
from curation.wording import Segment, word_diff


@dataclass(frozen=True)
class Side:
    """One column: the pair as it stands (without a ``response``), or what somebody made of it. ``said`` are (name, value) in words."""

    title: str
    response: Response | None
    question: list[Segment]
    answer: list[Segment]
    said: list[tuple[str, str]]
    comment: str = ""

    @property
    def discards(self) -> bool:
        return self.response is not None and self.response.state == ResponseState.DISCARDED


def sides_of(pair: Pair, responses: Sequence[Response], tags: Sequence[Tag]) -> list[Side]:
    """Each of ``responses`` against the first, the first against the second; a single one against the pair. None without responses."""
    if not responses:
        return []
    names = {tag.pk: tag.name for tag in tags}
    texts = [words_of(response.messages)[:2] for response in responses]
    if len(responses) == 1:
        start = words_of(pair.messages)[:2]
        there = Side("As it stands", None, *_differing(start, texts[0], "gone"), _said_of_pair(pair))
        return [there, _side(responses[0], start, texts[0], names)]
    first = Side(
        str(responses[0].user), responses[0], *_differing(texts[0], texts[1], "gone"), _said(responses[0], names), responses[0].comment
    )
    return [first, *(_side(one, texts[0], text, names) for one, text in zip(responses[1:], texts[1:], strict=True))]


def _side(response: Response, against: tuple[str, ...], text: tuple[str, ...], names: dict[int, str]) -> Side:
    return Side(str(response.user), response, *_differing(against, text, "new"), _said(response, names), response.comment)


def _differing(a: tuple[str, ...], b: tuple[str, ...], kind: str) -> tuple[list[Segment], list[Segment]]:
    """Question and answer of ``a`` (kind "gone") or of ``b`` ("new"), with what only that side says marked."""
    both = [[segment for segment in word_diff(*texts) if segment.kind in ("same", kind)] for texts in zip(a, b, strict=True)]
    return both[0], both[1]


def _said(response: Response, names: dict[int, str]) -> list[tuple[str, str]]:
    verdict = "Discarded" if response.state == ResponseState.DISCARDED else response.get_verdict_display()
    tags = ", ".join(names.get(pk, "a tag that is gone") for pk in response.tags)
    return [
        ("Verdict", verdict),
        ("Tags", tags or "none"),
        ("Topic", response.topic or "none"),
        ("Difficulty", response.get_difficulty_display() or "not said"),
    ]


def _said_of_pair(pair: Pair) -> list[tuple[str, str]]:
    tags = ", ".join(tag.name for tag in pair.tags.all())
    return [
        ("Origin", pair.origin_words.capitalize()),
        ("Tags", tags or "none"),
        ("Topic", pair.topic or "none"),
        ("Difficulty", pair.get_difficulty_display() or "not said"),
    ]
