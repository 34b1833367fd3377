"""The shapes of question that can be cut from prose: each looks at one sentence and says what it answers, or nothing."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.lib.question_words import (
    BASES,
    DANGLING,
    DETERMINERS,
    MODALS,
    PREPOSITIONS,
    SUBJECT_BREAKERS,
    VERBS,
    content_words,
    is_plural,
    lowered,
    words,
)


@dataclass(frozen=True)
class Spot:
    """A sentence and where it stands.

    ``called`` is the function or clause that its section is about, where its heading names one; ``opening`` marks the first sentence
    of the section; ``names`` are words that the document writes with a capital inside sentences.
    """

    sentence: str
    called: str
    opening: bool
    names: frozenset[str]


@dataclass(frozen=True)
class Found:
    """``{topic}`` in ``question`` is where the context goes, if it goes anywhere. ``needs_topic``: it makes no sense without."""

    question: str
    score: float
    needs_topic: bool = True


Shape = Callable[[Spot], Iterator[Found]]
_VERB = re.compile(r"(?<=\s)(?P<verb>" + "|".join(sorted({*VERBS, *BASES}, key=len, reverse=True)) + r")(?=\s)")
_PARTICIPLE = r"(?P<done>\w{3,}ed|given|taken|written|found|held|bound|set|run|kept|made|built|sent|shown|chosen|read|done|paid|drawn)"
_WHEN = r"when|if|only if|only when|before|after|as soon|until|unless|whenever|once (?!and)"
_WHERE = r"in (?=the |an? |each |`)(?!the \w+ (?:order|form|way|manner|mode|case))|at(?! (?:least|most|once|all|any))"
_HOW = r"by|using|with|through|from left|to determine|in order|according|as an?|as the"
_PASSIVE = re.compile(
    r"(?<=\s)(?P<be>is|are|must be|should be|shall be|may be|can be|cannot be) "
    r"(?:(?:then|first|always|usually|typically|normally|only|also) )?" + _PARTICIPLE + rf" (?P<how>{_HOW}|{_WHEN}|{_WHERE})\b"
)
_IS_A = re.compile(
    r"(?<=\s)(?:(?P<be>is|are) (?:(?:simply|just|essentially|basically|merely) )?(?=an? |the |any |one |\*(?!\w+ed\*)))"
    r"|(?<=\s)(?P<are>are) (?!\w+(?:ed|en|wn|lt) )"
    r"(?=(?:(?!of|in|for|to|with|on|at|by|not|from|within)[\w-]+ ){0,3}[\w-]+s (?:of|that|which|for|whose)\b)"
)


def subject_before(sentence: str, end: int) -> str | None:
    """The noun phrase that ``sentence`` begins with and that reaches to ``end``; None where it is no plain one."""
    phrase = sentence[:end].strip()
    rows = phrase.split()
    if (
        not content_words(phrase)
        or not 1 <= len(rows) <= 9
        or len(phrase) > 80
        or any(mark in phrase for mark in ",;:–—")
        or phrase.count("`") % 2
    ):
        return None
    bare = [row.strip('“”"*()').lower() for row in rows]
    if bare[0] in DANGLING or bare[-1] in PREPOSITIONS or phrase.count("(") != phrase.count(")"):
        return None
    if any(word in SUBJECT_BREAKERS for word in bare) or (len(rows) == 1 and bare[0] in DETERMINERS):
        return None
    if len(rows) > 1 and re.fullmatch(r"\w+(ed|ing|ly)|only|also|always|often|then|both|all|even", bare[-1]):
        return None
    if re.fullmatch(r"\w+(ing|ly)", bare[0]) and not rows[0].startswith(("`", "*")):
        return None
    if (
        len(rows) == 1
        and not rows[0].startswith(("`", "“", "*"))
        and not rows[0].endswith("s")
        and bare[0][:1].isalpha()
        and len(bare[0]) < 4
    ):
        return None
    if not any(len(word) > 2 for word in bare if word not in DETERMINERS) and "`" not in phrase:
        return None
    return phrase


def definition(spot: Spot) -> Iterator[Found]:
    """ "A generator is a function which …", "Strings are immutable sequences of …" """
    match = _IS_A.search(spot.sentence)
    if not match or not (subject := subject_before(spot.sentence, match.start())):
        return
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


def signature(spot: Spot) -> Iterator[Found]:
    """The first sentence under a heading that names a function, a command, a clause in code."""
    if not spot.called or not spot.opening:
        return
    name, sentence = spot.called, spot.sentence
    first = words(sentence)[0] if words(sentence) else ""
    if re.match(r"(Automatically )?([Cc]alled|[Ii]nvoked) (to|by|when|after|at|as|if|before|unconditionally)\b", sentence):
        yield Found(f"when or why is {name} called?", 1.0, needs_topic=False)
    elif re.match(r"Returns? ", sentence):
        yield Found(f"what does {name} return?", 1.0, needs_topic=False)
    elif (
        first
        and first not in DANGLING
        and re.match(r"[A-Z][a-z]+(?<!ed)(?<!ing) (?!is\b|are\b|was\b)", sentence)
        and first not in DETERMINERS
    ):
        yield Found(f"what does {name} do?", 0.95, needs_topic=False)


_NO_SUBJECT = PREPOSITIONS | frozenset("as and or when if while is".split())


def condition(spot: Spot) -> Iterator[Found]:
    """ "If A, B." """
    match = re.match(r"(If|When|Unless|Whenever|Where|Once|As long as|As soon as|In case) ", spot.sentence)
    if not match:
        return
    cut = _main_clause(spot.sentence)
    if cut is None:
        return
    clause, rest = spot.sentence[:cut], spot.sentence[cut + 1 :].strip()
    inner = words(clause)[1:]
    if ";" in clause or (inner[1:] and re.fullmatch(_PARTICIPLE, inner[0]) and inner[1] in _NO_SUBJECT):
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
    if re.search(r"\b(must|should|shall|you can|may|need to|have to)\b", rest) and not re.search(r"\braised|\breturn", rest):
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


_VERBS_IN_SUBJECTS = frozenset("lacks reserves makes puts keeps gets lets leaves adds".split())


def _tells_the_change(said: str, kind: str) -> bool:
    """Whether what stands after "Changed in version 3.8:" says what holds since then: not only what held before, and not a bare name."""
    if re.match(r"(Prior to|Before|Until|Up to)\b", said) or re.search(r"\b(did not|was not|were not|was illegal|used to)\b", said):
        return False
    if kind in ("New", "Added") or re.match(r"(Support for|Allow|Define|Raise|Return|Use)\b", said):
        return True
    return bool(
        re.search(r"\b(is|are|was|were|be|can|may|must|now|no longer|has|have|added|removed|renamed|deprecated|produces?|sets?)\b", said)
    )


def role(spot: Spot) -> Iterator[Found]:
    """Subject, verb, object: "The `type()` function returns …", "Duplicate keys will raise …" """
    for match in _VERB.finditer(spot.sentence):
        before = spot.sentence[: match.start()].rstrip()
        future = before.endswith(" will")
        subject = subject_before(spot.sentence, len(before) - 5 if future else match.start())
        if subject is None:
            continue
        verb = match["verb"]
        if words(before)[-1:] in (["and"], ["or"]) or re.search(r"\b(and|or)$", subject):
            return  # the second verb of "X reserves space and prevents …"
        if set(words(subject)[1:]) & _VERBS_IN_SUBJECTS:
            return
        plural = is_plural(subject)
        third = verb in VERBS
        if (future and third) or (not future and ((plural is None and not third) or (plural is not None and plural == third))):
            return
        rest = spot.sentence[match.end() :].strip()
        if len(content_words(rest)) < 3 or re.match(r"(effect|place|part|care|precedence|advantage|account)\b", rest):
            return
        if VERBS.get(verb, verb) == "use" and len(words(subject)) == 1:
            return  # "Python uses the termination model": of what it uses, this is one thing among many
        tail = re.match(r"(to|of|in|for)\b", rest)
        if verb in ("applies", "apply", "refers", "refer", "consists", "consist"):
            if not tail:
                return
            end = f" {tail[1]}"
        elif tail or re.match(r"(if|when|that|only|from|with|as|by|on|at|into|and|or|more|less|equal|\w+ly)\b", rest):
            return
        else:
            end = ""
        do = "will" if future else "does" if third else "do"
        yield Found(f"{{topic}}what {do} {lowered(subject, spot.names)} {VERBS.get(verb, verb)}{end}?", 0.85)
        return


def purpose(spot: Spot) -> Iterator[Found]:
    """ "X is used to …" """
    match = re.search(
        r"(?<=\s)(is|are|can be|may be) (?:(?:often|usually|mainly|typically|commonly|primarily|generally) )?"
        r"(?:used|intended|meant|designed|useful) (to|for|as|in)\b",
        spot.sentence,
    )
    if not match or not (subject := subject_before(spot.sentence, match.start())):
        return
    be = match[1]
    low = lowered(subject, spot.names)
    question = f"what {be} {low} used for?" if be in ("is", "are") else f"what {be.split()[0]} {low} be used for?"
    yield Found("{topic}" + question, 0.95)


def manner(spot: Spot) -> Iterator[Found]:
    """ "S is evaluated by …", "S is called when …" """
    match = _PASSIVE.search(spot.sentence)
    if not match or not (subject := subject_before(spot.sentence, match.start())):
        return
    be, _, modal = match["be"].partition(" ")
    plural = is_plural(subject)
    if be in ("is", "are") and plural is not None and plural != (be == "are"):
        return
    asks = (
        "when"
        if match["how"] in ("when", "if", "only if", "only when", "before", "after", "as soon", "until", "unless", "whenever", "once")
        else "where"
        if match["how"].strip() in ("in", "at")
        else "how"
    )
    if asks == "where" and re.match(r" ?(?:the )?(?:\w+ )?time\b", spot.sentence[match.end() :]):
        asks = "when"  # "at compile time"
    low, done = lowered(subject, spot.names), match["done"]
    if done in ("returned", "provided", "called") and asks == "how" and match["how"] == "by":
        return  # "is returned by X" tells where it comes from, not how
    question = (
        f"{asks} {be} {low} {done}?"
        if not modal
        else f"{asks} {be.replace('cannot', 'can')} {low} {'not ' if be == 'cannot' else ''}be {done}?"
    )
    yield Found("{topic}" + question, 0.8)


def obligation(spot: Spot) -> Iterator[Found]:
    """ "The supplier must …", "An argument may …" """
    match = re.search(r"(?<=\s)(" + "|".join(sorted(MODALS)) + r")(?P<no> not)? (?!be used|be defined|also)(?P<verb>\w+)", spot.sentence)
    if not match or not (subject := subject_before(spot.sentence, match.start())):
        return
    modal = match[1]
    if len(content_words(spot.sentence[match.end() :])) < 2 or words(subject)[0] in ("no", "any", "some"):
        return
    low = lowered(subject, spot.names)
    negated = bool(match["no"]) or modal == "cannot"
    modal = "can" if modal == "cannot" else modal
    verb = match["verb"]
    if modal == "may" and verb == "support":
        return  # of what it may support, this is one thing among many
    rest = spot.sentence[match.end() :]
    if verb == "be" and not re.match(r" (?:\w+ly )?(\w+(?:ed|en|wn|ld|nd|pt)|made|done|set|run|sent|read|built)\b", rest):
        if not re.match(r" (?:either |only |at (?:least|most) )?(?:an?|the|one|two|[\w-]+s|integers?)\b", rest):
            return  # "may be present after …"
        question = f"what {modal} {low} {'not ' if negated else ''}be?"
    elif verb in (
        "return",
        "contain",
        "have",
        "include",
        "raise",
        "define",
        "accept",
        "provide",
        "support",
        "take",
        "pay",
        "deliver",
        "give",
        "specify",
        "refer",
    ):
        question = f"what {modal} {low} {'not ' if negated else ''}{verb}?"
        if verb == "refer":
            question = question[:-1] + " to?"
    elif verb == "be" and (modal in ("must", "shall", "should") or negated):
        question = f"what {modal}{('not ' if modal == 'can' else ' not ') if negated else ' '}be done with {low}?"
    elif modal in ("must", "shall", "should"):
        question = f"what {modal} {low} {'not ' if negated else ''}do?"
    else:
        return
    yield Found("{topic}" + question, 0.6)


def default(spot: Spot) -> Iterator[Found]:
    """ "By default, …", "… defaults to …" """
    match = re.search(r"(?<=\s)defaults? to (?=[`\w*“])", spot.sentence)
    if match and (subject := subject_before(spot.sentence, match.start())):
        plural = bool(is_plural(subject))
        yield Found(f"{{topic}}what {'do' if plural else 'does'} {lowered(subject, spot.names)} default to?", 0.9)
    elif re.match(r"By default, ", spot.sentence):
        yield Found("{topic}what happens by default?", 0.35)


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


def reason(spot: Spot) -> Iterator[Found]:
    """ "B because A." """
    match = re.search(r",? because (?!of\b)", spot.sentence)
    if not match or match.start() < 20:
        return
    claim = spot.sentence[: match.start()]
    if any(mark in claim for mark in ";:()") or not words(claim) or words(claim)[0] in DANGLING or "," in claim:
        return
    yield Found(f"{{topic}}why is it that {lowered(claim, spot.names)}?", 0.85)


def enumeration(spot: Spot) -> Iterator[Found]:
    """ "There are three basic sequence types: lists, tuples, and range objects." """
    match = re.match(
        r"There (?:are|exist) (?:currently )?(?P<what>(?:two|three|four|five|six|seven|several|the) [^:,.;]{4,60}): (?P<list>.{12,})",
        spot.sentence,
    )
    if match:
        what = re.sub(r"^several ", "", match["what"])
        yield Found(f"{{topic}}which {what} are there?", 1.0)


def note(spot: Spot) -> Iterator[Found]:
    """ "**Note:** …", with the mark taken off; the caller says so by ``called`` being ``note``."""
    match = re.match(r"Note that (?=\w|`)", spot.sentence)
    if match and not re.match(r"(this|these|it|they|such|the following)\b", spot.sentence[match.end() :]):
        subject = re.match(r"(?:if|when) ", spot.sentence[match.end() :])
        if subject:
            return
        for verb in re.finditer(r"(?<=\s)(is|are|can|cannot|may|must|does|do|has|have|will|should)(?=\s)", spot.sentence):
            phrase = subject_before(spot.sentence[match.end() :], verb.start() - match.end())
            if phrase and len(content_words(phrase)) >= 1:
                yield Found(f"{{topic}}what should be noted about {phrase}?", 0.7)
                return


def _main_clause(sentence: str) -> int | None:
    """The comma at which the main clause begins, outside brackets and code."""
    depth, code = 0, False
    for at, letter in enumerate(sentence):
        if letter == "`":
            code = not code
        elif not code and letter in "([“":
            depth += 1
        elif not code and letter in ")]”":
            depth -= 1
        elif letter == "," and depth == 0 and not code:
            rest = words(sentence[at + 1 : at + 60])
            if not rest or rest[0] in (
                "or",
                "and",
                "but",
                "which",
                "i.e",
                "e.g",
                "such",
                "including",
                "respectively",
                "for",
                "as",
                "not",
                "that",
            ):
                continue
            before = sentence[:at]
            listing = re.search(r",\s*(or|and)\s[^,]{1,60},", sentence[at:]) or re.match(r",\s*[\w`*“”()-]+(\s[\w`*-]+)?,", sentence[at:])
            listing = listing or re.match(r",\s*[\w`*“”.()-]+(\s[\w`*-]+)? (or|and)\s", sentence[at:])
            if listing or len(before) < 12 or before[-1].isdigit():
                continue
            return at
    return None


# "In a generator function, the `return` statement indicates …": what stands before the comma goes into the question as it is
_SETTING = re.compile(
    r"(?P<setting>(?:In|For|During|Within|Outside|After|Before|At|On|With|Under|Inside|Without|Among) "
    r"(?P<what>[^,;:()]{5,70})), (?=[a-zA-Z`*“])"
)
_NO_SETTING = re.compile(
    r"\b(this|that|these|those|such|it|its|them|their|addition|general|particular|contrast|other|order|fact|practice|both|cases?|example|"
    r"instance|most|more|details?|words|turn|effect|now|once|above|following|doing|information|simplicity|reason)\b",
    re.IGNORECASE,
)


def setting_of(sentence: str) -> tuple[str, str]:
    """The setting that the sentence opens with, if it is a plain one, and the sentence from its main clause on, with a capital."""
    match = _SETTING.match(sentence)
    if not match or _NO_SETTING.search(match["what"]) or match["what"].count("`") % 2:
        return "", sentence
    rest = sentence[match.end() :]
    if words(rest)[:1] and words(rest)[0] in ("and", "or", "but", "which", "such", "as", "not"):
        return "", sentence
    setting = match["setting"]
    return f"{setting[0].lower()}{setting[1:]}, ", rest[0].upper() + rest[1:]


SHAPES: dict[str, Shape] = {
    "change": change,
    "enumeration": enumeration,
    "comparison": comparison,
    "condition": condition,
    "term": term,
    "equivalence": equivalence,
    "purpose": purpose,
    "default": default,
    "reason": reason,
    "signature": signature,
    "definition": definition,
    "error": error,
    "role": role,
    "manner": manner,
    "obligation": obligation,
    "note": note,
}
