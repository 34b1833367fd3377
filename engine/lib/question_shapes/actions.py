"""Questions for what something does, what it is for, and what is or must be done with it."""

import re
from collections.abc import Iterator

from engine.lib.question_shapes.clauses import PARTICIPLE, subject_before
from engine.lib.question_shapes.found import Found, Spot
from engine.lib.question_words import BASES, DANGLING, DETERMINERS, MODALS, VERBS, content_words, is_plural, lowered, words

_VERB = re.compile(r"(?<=\s)(?P<verb>" + "|".join(sorted({*VERBS, *BASES}, key=len, reverse=True)) + r")(?=\s)")
_WHEN = r"when|if|only if|only when|before|after|as soon|until|unless|whenever|once (?!and)"
_WHERE = r"in (?=the |an? |each |`)(?!the \w+ (?:order|form|way|manner|mode|case))|at(?! (?:least|most|once|all|any))"
_HOW = r"by|using|with|through|from left|to determine|in order|according|as an?|as the"
_TIMES = frozenset(_WHEN.replace(" (?!and)", "").split("|"))
_PASSIVE = re.compile(
    r"(?<=\s)(?P<be>is|are|must be|should be|shall be|may be|can be|cannot be) "
    r"(?:(?:then|first|always|usually|typically|normally|only|also) )?" + PARTICIPLE + rf" (?P<how>{_HOW}|{_WHEN}|{_WHERE})\b"
)
_TAKING_AN_OBJECT = frozenset("return contain have include raise define accept provide support take pay deliver give specify refer".split())
# "is returned by X" tells by whom, not how
_DOERS = frozenset("returned provided called consumed executed invoked ignored raised used wrapped".split())
_NO_MANNER = frozenset("followed connected called preceded".split())  # what follows tells with what
_VERBS_IN_SUBJECTS = frozenset("lacks reserves makes puts keeps gets lets leaves adds".split())


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
        elif tail or re.match(r"(either|if|when|that|only|from|with|as|by|on|at|into|and|or|more|less|equal|\w+ly)\b", rest):
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
    asks = "when" if match["how"].strip() in _TIMES else "where" if match["how"].strip() in ("in", "at") else "how"
    if asks == "where" and re.match(r" ?(?:the )?(?:\w+ )?time\b", spot.sentence[match.end() :]):
        asks = "when"  # "at compile time"
    low, done = lowered(subject, spot.names), match["done"]
    if re.match(r"[Tt]he ", subject) and "`" not in subject and not re.search(r" of (?:an?|the) ", subject):
        return  # "where is the new copy wrapped?"
    if asks == "where" and "`" not in subject and len(content_words(subject)) < 2:
        return  # "where are names resolved?": where they are told of
    if asks == "how" and (done in _NO_MANNER or (match["how"] == "by" and done in _DOERS)):
        return
    question = (
        f"{asks} {be} {low} {done}?"
        if not modal
        else f"{asks} {be.replace('cannot', 'can')} {low} {'not ' if be == 'cannot' else ''}be {done}?"
    )
    yield Found("{topic}" + question, 0.8)


def obligation(spot: Spot) -> Iterator[Found]:
    """ "The supplier must …", "An argument may …" """
    match = re.search(
        r"(?<=\s)(" + "|".join(sorted(MODALS)) + r")(?P<no> not)? (?!be used|be defined|also)(?P<verb>(?!not\b)\w+)", spot.sentence
    )
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
    elif verb in _TAKING_AN_OBJECT:
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
