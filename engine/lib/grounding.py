"""Whether a question and its answer, as a model wrote them, stand on their passage: the quote, the words, the question."""

import re
from dataclasses import dataclass
from typing import Any

from engine.lib.overlap import token_f1, words
from engine.lib.support import support

SHORTEST_QUOTE = 12  # characters: less stands anywhere
LONGEST_QUESTION, LONGEST_ANSWER = 1000, 4000
UNANSWERABLE = "unanswerable"
ABOUT_IT = 0.15  # a question about the passage’s subject shares at least some of its words

_SAME = {"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "’": "'", "‘": "'", "–": "-", "—": "-"}
_POINTS_AT_PASSAGE = re.compile(
    r"\b(?:(?:the|this|that|given|provided|above|following|preceding)\s+(?:\w+\s+)?(?:passage|text|excerpt|paragraph|snippet|extract|context)"
    r"|according to (?:it|this|the (?:author|document))|as (?:mentioned|described|stated) (?:above|below|here)"
    r"|(?:im|laut|dem|diesem|obigen|vorliegenden) (?:Text|Abschnitt|Textabschnitt))\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"^\W*(?:i(?:'|’)?m sorry|sorry,|i can(?:no|')t|i am (?:unable|not able)|i(?:'|’)m (?:unable|not able)|as an ai|i do not have access|"
    r"es tut mir leid|ich kann (?:das|dabei|diese[nrs]?)? ?nicht)",
    re.IGNORECASE,
)
_NOT_SAID = re.compile(r"\bNOT[ _]STATED\b", re.IGNORECASE)


@dataclass(frozen=True)
class Grounded:
    """A question and answer that stand. ``start`` and ``end`` are the quote's place in the passage.

    ``support``: how far the passage says what the answer says; ``overlap``: how much of its wording comes from the quote (0 to 1 each).
    """

    question: str
    answer: str
    start: int
    end: int
    support: float
    overlap: float


class Ungrounded(ValueError):
    """The pair does not stand; ``reason`` is one of the short names that are counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def refused(said: str) -> bool:
    """Whether a model's answer is a refusal to do the task."""
    return bool(_REFUSAL.search(said[:200])) and "{" not in said


def grounded(candidate: dict[str, Any], passage: str, *, kind: str, least_support: float) -> Grounded:
    """The pair in ``candidate`` (question, answer, quote) checked against ``passage``. Raises ``Ungrounded``.

    An unanswerable one needs no quote: its question has to be about the passage all the same, and its answer has to be none.
    """
    question, answer = _text(candidate, "question"), _text(candidate, "answer")
    if not question or not answer:
        raise Ungrounded("incomplete")
    if len(question) > LONGEST_QUESTION or len(answer) > LONGEST_ANSWER or len(words(question)) < 3:
        raise Ungrounded("length")
    if _POINTS_AT_PASSAGE.search(question) or (kind != UNANSWERABLE and _POINTS_AT_PASSAGE.search(answer)):
        raise Ungrounded("points at its passage")
    if refused(answer):
        raise Ungrounded("refused")
    if kind == UNANSWERABLE:
        if support(question, passage) < ABOUT_IT:
            raise Ungrounded("off the subject")
        return Grounded(question, answer, 0, len(passage), 0.0, 0.0)
    place = locate(_text(candidate, "quote"), passage)
    if place is None:
        raise Ungrounded("quote not found")
    held = support(answer, passage)
    if held < least_support:
        raise Ungrounded("not supported")
    return Grounded(question, answer, *place, held, round(token_f1(answer, passage[place[0] : place[1]]), 4))


def answers_nothing(said: str) -> bool:
    """Whether a model that was asked to answer from the passage says that it cannot."""
    return bool(_NOT_SAID.search(said[:200]))


def locate(quote: str, passage: str) -> tuple[int, int] | None:
    """Where ``quote`` stands in ``passage``, however its spaces, quotation marks and case are written; None where it does not."""
    whole = quote.strip("\"'“”„… \n\t")
    plain, places = _plain(passage)
    for tried in (whole, whole.rstrip(".,;:!?")):  # a model ends with a full stop where the passage goes on
        wanted = "".join(_plain(tried)[0])
        at = "".join(plain).find(wanted) if len(wanted) >= SHORTEST_QUOTE else -1
        if at != -1:
            return places[at], places[at + len(wanted) - 1] + 1
    return None


def _plain(text: str) -> tuple[list[str], list[int]]:
    """Each character as it is compared, and where it stands in ``text``. Runs of white space and marks of layout become one space."""
    plain: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        lower = _SAME.get(character, character).lower()[:1]  # one for one: "İ" would become two
        if character.isspace() or character in "*_`\u00ad":
            lower = " "
        if lower == " " and (not plain or plain[-1] == " "):
            continue
        plain.append(lower)
        places.append(place)
    while plain and plain[-1] == " ":
        plain.pop()
        places.pop()
    return plain, places


def _text(candidate: dict[str, Any], name: str) -> str:
    value = candidate.get(name)
    return value.strip() if isinstance(value, str) else ""
