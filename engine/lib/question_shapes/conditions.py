"""Questions for when, why and since when something holds."""

import re
from collections.abc import Iterator

from engine.lib.question_shapes.clauses import PARTICIPLE, main_clause, subject_before
from engine.lib.question_shapes.found import Found, Spot
from engine.lib.question_words import DANGLING, PREPOSITIONS, content_words, is_plural, lowered, words

_NO_SUBJECT = PREPOSITIONS | frozenset("as and or when if while is".split())


def condition(spot: Spot) -> Iterator[Found]:
    """ "If A, B." """
    match = re.match(r"(If|When|Unless|Whenever|Where|Once|As long as|As soon as|In case) ", spot.sentence)
    if not match:
        return
    cut = main_clause(spot.sentence)
    if cut is None:
        return
    clause, rest = spot.sentence[:cut], spot.sentence[cut + 1 :].strip()
    inner = words(clause)[1:]
    if ";" in clause or (inner[1:] and re.fullmatch(PARTICIPLE, inner[0]) and inner[1] in _NO_SUBJECT):
        return  # "If loaded from a file, they …": nobody knows what is loaded
    if re.search(r"\b(that|the same) \w+$|\bthe slot\b|, (they|it|these) \w+", clause):
        return  # "if none meets that criterion": which one?
    if (
        len(inner) < 4
        or len(content_words(clause)) < 2
        or len(clause) > 170
        or inner[0] in ("this", "it", "they", "these", "those", "so", "not", "that", "you")
    ):
        return
    if {"this", "it", "they", "these", "those", "them", "its", "their"} & set(inner[:3]) or re.search(
        r" this |following|\bhere\b|\bthere(?! (?:is|are|was|were|has|have|exist)|’s| isn’t| aren’t)", clause
    ):
        return
    asks = "what applies" if inner[0].endswith("ing") else "what happens"
    if re.search(r"\b(must|should|shall|you can|may|can|need to|have to)\b", rest) and not re.search(r"\braised|\breturn", rest):
        asks = "what applies"
    elif re.match(r"(then )?(use|do|try|set|call|make|be|contact|send|give|stop|start|add|pass|include|remove|replace)\b", rest):
        asks = "what should be done"
    yield Found(f"{{topic}}{asks} {clause[0].lower()}{clause[1:]}?", 0.95)


def error(spot: Spot) -> Iterator[Found]:
    """ "An `IndexError` is raised if …" """
    match = re.search(r"`?\b(\w+(?:Error|Exception|Warning|Exit|Iteration)|KeyboardInterrupt)\b`?", spot.sentence)
    if not match or not re.search(r"\b(raise[sd]?|raising|results? in|causes?|thrown|throws|issued|emits?)\b", spot.sentence):
        return
    if len(set(re.findall(r"\b\w+(?:Error|Exception|Warning)\b", spot.sentence))) > 1:
        return
    if not re.search(r"(raise[sd]?|thrown?s?|issued)\b[^.;]*\b(if|when|unless|because|whenever)\b|^(If|When|Unless)\b", spot.sentence):
        return
    name = match[1]
    article = "an" if name[0] in "AEIOU" else "a"
    raiser = re.match(r"(`[\w.]+(?:\(\))?`) raises\b", spot.sentence)
    if raiser and raiser[1] != spot.called:
        yield Found(f"{{topic}}in which case does {raiser[1]} raise {article} `{name}`?", 0.95)
        return
    yield Found(f"{{topic}}in which case is {article} `{name}` raised?", 0.85)


def change(spot: Spot) -> Iterator[Found]:
    """ "Changed in version 3.10: …" """
    match = re.match(
        r"(Changed|New|Deprecated(?: since)?|Added|Removed|Amended|Revised)(?: in| since)? "
        r"(version|release|edition|revision|amendment) ([\w.]+): (?=\w|`|\*)",
        spot.sentence,
    )
    if not match or len(content_words(spot.sentence[match.end() :])) < 3 or not _tells_the_change(spot.sentence[match.end() :], match[1]):
        return
    what = {"C": "changed in", "N": "was added in", "D": "has been deprecated since", "A": "was added in", "R": "was removed in"}[
        match[1][0]
    ]
    yield Found(f"{{topic}}what {what} {match[2]} {match[3]}?", 0.9)


def _tells_the_change(said: str, kind: str) -> bool:
    """Whether what stands after "Changed in version 3.8:" says what holds since then: not only what held before, and not a bare name."""
    if re.match(r"(Prior to|Before|Until|Up to)\b", said) or re.search(r"\b(did not|was not|were not|was illegal|used to)\b", said):
        return False
    if kind in ("New", "Added") or re.match(r"(Support for|Allow|Define|Raise|Return|Use)\b", said):
        return True
    return bool(
        re.search(r"\b(is|are|was|were|be|can|may|must|now|no longer|has|have|added|removed|renamed|deprecated|produces?|sets?)\b", said)
    )


def default(spot: Spot) -> Iterator[Found]:
    """ "By default, …", "… defaults to …" """
    match = re.search(r"(?<=\s)defaults? to (?=[`\w*“])", spot.sentence)
    if match and (subject := subject_before(spot.sentence, match.start())):
        plural = bool(is_plural(subject))
        yield Found(f"{{topic}}what {'do' if plural else 'does'} {lowered(subject, spot.names)} default to?", 0.9)
    elif re.match(r"By default, ", spot.sentence):
        yield Found("{topic}what happens by default?", 0.35)


def reason(spot: Spot) -> Iterator[Found]:
    """ "B because A." """
    match = re.search(r",? because (?!of\b)", spot.sentence)
    if not match or match.start() < 20:
        return
    claim = spot.sentence[: match.start()]
    if any(mark in claim for mark in ";:()") or not words(claim) or words(claim)[0] in DANGLING or "," in claim:
        return
    yield Found(f"{{topic}}why is it that {lowered(claim, spot.names)}?", 0.85)


def note(spot: Spot) -> Iterator[Found]:
    """ "Note that X is …" """
    match = re.match(r"Note that (?=\w|`)", spot.sentence)
    noted = spot.sentence[match.end() :] if match else ""
    if not noted or re.match(r"(this|these|it|they|such|the following)\b|(if|when) ", noted):
        return
    for verb in re.finditer(r"(?<=\s)(is|are|can|cannot|may|must|does|do|has|have|will|should)(?=\s)", noted):
        if phrase := subject_before(noted, verb.start()):
            yield Found(f"{{topic}}what should be noted about {phrase}?", 0.7)
            return
