"""The responses to a pair side by side, with everything in which they differ."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from curation.messages import ANSWER, QUESTION, part_names, parts_of
from curation.models import Pair, Response, ResponseState, Tag
from curation.wording import Part, word_diff


@dataclass(frozen=True)
class Said:
    """A label in words, and whether others have it otherwise."""

    name: str
    value: str
    differs: bool


@dataclass(frozen=True)
class Side:
    """One column: the pair as it stands (without a ``response``), or what somebody made of it.

    ``parts`` are the question, the answer and every other text that is not the same on all sides, so that the columns line up.
    """

    title: str
    response: Response | None
    parts: list[Part]
    said: list[Said]
    comment: str = ""

    @property
    def discards(self) -> bool:
        return self.response is not None and self.response.state == ResponseState.DISCARDED


def sides_of(pair: Pair, responses: Sequence[Response], tags: Sequence[Tag]) -> list[Side]:
    """Each of ``responses`` against the first, the first against the second; a single one against the pair. None without responses."""
    if not responses:
        return []
    there = [pair] if len(responses) == 1 else []
    columns: list[Pair | Response] = [*there, *responses]
    texts = [parts_of(column.messages) for column in columns]
    names = [name for name in part_names(texts) if name in (QUESTION, ANSWER) or len({text.get(name, "") for text in texts}) > 1]
    labels = [_labels(column, tags) for column in columns]
    return [
        Side(
            title=str(column.user) if isinstance(column, Response) else "As it stands",
            response=column if isinstance(column, Response) else None,
            parts=[_part(name, texts, place) for name in names],
            said=[Said(name, value, _differs(name, value, labels)) for name, value in labels[place].items()],
            comment=column.comment if isinstance(column, Response) else "",
        )
        for place, column in enumerate(columns)
    ]


def _part(name: str, texts: Sequence[dict[str, str]], place: int) -> Part:
    """The text ``name`` in the column ``place``, with what only this column says marked: gone from the first, new in the others."""
    kind = "new" if place else "gone"
    segments = word_diff(texts[0].get(name, ""), texts[place or 1].get(name, ""))
    return Part(name, [segment for segment in segments if segment.kind in ("same", kind)])


def _differs(name: str, value: str, labels: Iterable[dict[str, str]]) -> bool:
    return any(column.get(name, value) != value for column in labels)


def _labels(column: Pair | Response, tags: Sequence[Tag]) -> dict[str, str]:
    common = {"Topic": column.topic or "none", "Difficulty": column.get_difficulty_display() or "not said"}
    if isinstance(column, Pair):
        return {"Origin": column.origin_words.capitalize(), "Tags": _names(column.tags.all(), 0), **common}
    verdict = "Discarded" if column.state == ResponseState.DISCARDED else column.get_verdict_display()
    carried = [tag for tag in tags if tag.pk in column.tags]
    return {"Verdict": verdict, "Tags": _names(carried, len(column.tags) - len(carried)), **common}


def _names(tags: Iterable[Tag], gone: int) -> str:
    return ", ".join([*(tag.name for tag in tags), *(["a tag that is gone"] * gone)]) or "none"
