"""Questions for what something is: what it means, what it is called, what kinds of it there are, what it is not."""

import re
from collections.abc import Iterator

from engine.lib.question_shapes.clauses import subject_before
from engine.lib.question_shapes.found import Found, Spot
from engine.lib.question_words import DETERMINERS, content_words, is_plural, lowered, words

_IS_A = re.compile(
    r"(?<=\s)(?:(?P<be>is|are) (?:(?:simply|just|essentially|basically|merely) )?(?=an? |the |any |one |\*(?!\w+ed\*)))"
    r"|(?<=\s)(?P<are>are) (?!\w+(?:ed|en|wn|lt) )"
    r"(?=(?:(?!of|in|for|to|with|on|at|by|not|from|within)[\w-]+ ){0,3}[\w-]+s (?:of|that|which|for|whose)\b)"
)


def definition(spot: Spot) -> Iterator[Found]:
    """ "A generator is a function which …", "Strings are immutable sequences of …" """
    match = _IS_A.search(spot.sentence)
    if not match or not (subject := subject_before(spot.sentence, match.start())):
        return
    if len(content_words(spot.sentence[match.end() :])) < 3:
        return  # "A class definition is an executable statement" says what kind of thing, not which
    if re.match(r"\*[^*]+\* if\b|(an? )?(\w+ )?(error|example|abstract|rather)\b", spot.sentence[match.end() :]):
        return
    be = match["be"] or match["are"]
    plural = is_plural(subject)
    if plural is not None and plural != (be == "are"):
        return
    first = words(subject)[0]
    if (first in DETERMINERS and first not in ("a", "an", "the")) or re.match(r"(an? |the )?(example|new)\b", subject, re.IGNORECASE):
        return
    if first == "the" and not re.search(r"[`*“]", subject) and not re.match(r"an? ", spot.sentence[match.end() :]):
        return  # "The forearm is the preferred site" says which, not what
    bonus = 0.25 if first in ("a", "an") or "*" in subject or "“" in subject else 0.0
    yield Found(f"{{topic}}what {be} {lowered(subject, spot.names)}?", 0.75 + bonus)


def equivalence(spot: Spot) -> Iterator[Found]:
    """ "X is equivalent to Y." """
    match = re.search(
        r"(?<=\s)(?P<be>is|are) (?:(?:roughly|exactly|basically|semantically|approximately) )?"
        r"(?P<like>equivalent|equal|identical|similar|analogous) to (?=\S)",
        spot.sentence,
    )
    if match and (subject := subject_before(spot.sentence, match.start())):
        yield Found(f"{{topic}}what {match['be']} {lowered(subject, spot.names)} {match['like']} to?", 0.85)


def term(spot: Spot) -> Iterator[Found]:
    """ "… is called a *finalizer*." """
    naming = re.search(r"(?<=\s)(is|are) (?:(?:always|usually|often|also) )?(?:called|named|known as) (?=`|[a-z]+ing\b)", spot.sentence)
    if naming and (subject := subject_before(spot.sentence, naming.start())):
        yield Found(f"{{topic}}what {naming[1]} {lowered(subject, spot.names)} called?", 0.9)
    match = re.search(
        r"\b(?:is|are|be|been|also|commonly|often|generally) "
        r"(?:called|termed|known as|named|said to be|referred to as) (?:an? |the )?(?:\*([^*]{3,40})\*|“([^”]{3,40})”)",
        spot.sentence,
    )
    if match and not re.match(r"(A|An|The)? ?[*“]", spot.sentence):
        found = match[1] or match[2]
        yield Found(f"{{topic}}what does the term “{found}” mean?", 0.95)


def comparison(spot: Spot) -> Iterator[Found]:
    """ "Unlike X, Y …", "X differs from Y" """
    match = re.search(r"(?<=\s)differs? from (?P<other>[^,.;:]{3,60}?)(?= in| because|[,.;])", spot.sentence)
    if match and (subject := subject_before(spot.sentence, match.start())):
        do = "do" if is_plural(subject) else "does"
        yield Found(f"{{topic}}how {do} {lowered(subject, spot.names)} differ from {match['other']}?", 0.95)
        return
    match = re.match(r"(Unlike|In contrast to|Contrary to) (?P<other>[^,.;:]{3,60}), (?P<rest>.+)", spot.sentence)
    if match:
        verb = re.search(r"(?<=\s)(is|are|can|cannot|may|must|do|does|has|have|will|never)\b", match["rest"])
        subject = subject_before(match["rest"], verb.start()) if verb else None
        if (
            subject
            and words(match["other"])[:1]
            and words(match["other"])[0] not in ("this", "that", "these", "most", "in", "for", "with", "the")
        ):
            do = "do" if is_plural(subject) else "does"
            yield Found(f"{{topic}}how {do} {subject} differ from {match['other']}?", 0.95)


def enumeration(spot: Spot) -> Iterator[Found]:
    """ "There are three basic sequence types: lists, tuples, and range objects." """
    match = re.match(
        r"There (?:are|exist) (?:currently )?(?P<what>(?:two|three|four|five|six|seven|several|the) [^:,.;]{4,60}): (?P<list>.{12,})",
        spot.sentence,
    )
    if match:
        what = re.sub(r"^several ", "", match["what"])
        yield Found(f"{{topic}}which {what} are there?", 1.0)
