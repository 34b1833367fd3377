"""Whether a question says what it asks about, or only "the parameters", "the transformation"."""

import re
from collections.abc import Collection

from engine.lib.question_words import BASES, VAGUE, VERBS, content_words

TOO_VAGUE = 0.4
_MORE_VERBS = frozenset("do be is are was were has have had used occurs occur exists exist insert".split())
_VERB = re.compile(r" (?:not )?(?:" + "|".join(sorted({*BASES, *VERBS, *_MORE_VERBS})) + r")\b")
_ASKED = re.compile(r"\b(?:does|do|is|are|can|may|must|should|shall|will|about) (the [^?]+?)\?$")
_CONDITION = re.compile(r"\b(?:if|when|whenever|unless|once) (the [^?,]+?)\?$")


def vagueness(question: str, topic: Collection[str], *, named: bool) -> float:
    """What a question loses, from 0 to ``TOO_VAGUE``, for a subject that a reader without the document cannot know.

    ``topic``: the words of what the question is led in with. ``named``: that is a function or a command, whose arguments are known.
    """
    asked, condition = _ASKED.search(question), _CONDITION.search(question)
    found = asked or condition
    if found is None:
        return 0.0
    subject = _VERB.split(found[1])[0]
    told = content_words(subject)
    if "`" in subject or "*" in subject or _singulars(told) & _singulars(topic):
        return 0.0
    if re.fullmatch(r"the \w+", subject) and not named and (asked or told <= VAGUE):
        return TOO_VAGUE  # "the list", "the primary", "if the definition": of which nothing was said before
    last = re.search(r" (?:of|in|to|for|with) the (\w+)$", subject)
    if last and not named:
        return TOO_VAGUE  # "the values of the dictionary": of which one?
    if not asked or not told <= VAGUE:
        return 0.0
    return TOO_VAGUE if len(told) <= 1 else 0.25


def _singulars(found: Collection[str]) -> set[str]:
    return {*found, *(word.removesuffix("s") for word in found)}
