"""The small grammar that questions are built with: closed word lists and a few rules, for English prose of any domain."""

import re
from collections import Counter

# what an answer or a subject may not begin with: it points at something that a cold reader does not see
DANGLING = frozenset(
    """
    this these it its they their them that those such he she his her here otherwise however thus therefore also but and or
    nor so then hence similarly likewise both former latter following above below additionally furthermore moreover again
    still instead else accordingly consequently finally second secondly third thirdly first firstly next last lastly one ones
    another other others same neither either further once yet now see example note for in as to on by with from at after
    before during when while if unless because since although though whereas where until like unlike given using according
    whenever whether how what why which who only even not just rather most more many few several some none any each every
    there we you i our your my let use most all exception important first-time usually normally generally typically often
    sometimes conversely specifically particularly basically technically
    """.split()
)
SUBJECT_BREAKERS = frozenset(
    """
    this these it its they their them that those such which who whom whose where when while if unless because since although
    though whereas as than then there here so not never is are was were be been being has have had does do did can could may
    might must shall should will would but however following above below previous latter former same other we you i he she
    your our what how why
    """.split()
)
DETERMINERS = frozenset("the a an each every all some no any most both one two three several many".split())
PREPOSITIONS = frozenset("of in for to with from on at by between into within under over without about per via against".split())

# third person → base form, for "What does S ...?"
VERBS = dict(
    pair.split(":")
    for pair in """
    returns:return represents:represent denotes:denote specifies:specify defines:define describes:describe contains:contain
    provides:provide supports:support allows:allow requires:require indicates:indicate means:mean determines:determine
    controls:control creates:create accepts:accept holds:hold produces:produce yields:yield consists:consist includes:include
    applies:apply executes:execute compares:compare introduces:introduce evaluates:evaluate gives:give prevents:prevent
    enables:enable causes:cause performs:perform computes:compute converts:convert refers:refer removes:remove
    replaces:replace implements:implement takes:take expects:expect displays:display prints:print identifies:identify
    covers:cover governs:govern ensures:ensure guarantees:guarantee affects:affect terminates:terminate invokes:invoke
    matches:match overrides:override sets:set specializes:specialize stores:store raises:raise uses:use binds:bind
    searches:search inserts:insert restricts:restrict limits:limit reports:report records:record starts:start ends:end
    entitles:entitle obliges:oblige grants:grant excludes:exclude permits:permit prohibits:prohibit reduces:reduce
    increases:increase
    """.split()
)
BASES = frozenset(VERBS.values())
MODALS = frozenset("must should shall may can cannot".split())
# words that name anything: with "the" before them they need to be told which
VAGUE = frozenset(
    """
    parameter parameters argument arguments statement statements value values expression expressions method methods function
    functions syntax type types object objects class classes instance instances name names result results attribute
    attributes string strings operation operations item items element elements list option options clause clauses rule rules
    first second last new old default other given current left right hand side operand operands target targets form forms way
    case part number process system document party parties person data information text use resulting transformation
    algorithm implementation implementations typical corresponding body suite remaining whole entire above said proposal
    outcome procedure section example definition assignment call conversion comparison search change copy new
    """.split()
)
STOP_WORDS = frozenset(
    """
    a an the of in on for to with from by at and or not is are was were be been being it its this that these those as if when
    which who what how why where does do did can could may might must shall should will would has have had than then there
    their they them into such any all each every no only also more most other some so up out about after before between own
    same i you we he she or nor but both just very happens according regarding concerning under used use using
    """.split()
)
_PLURAL_TRAPS = re.compile(r"(ss|us|is|ness|ics|always|process|class|’s|'s)$")
IRREGULAR_PLURALS = frozenset("people children men women data criteria indices media phenomena".split())


def words(text: str) -> list[str]:
    """Words, in lower case, marks of Markdown and punctuation aside; code counts as its words."""
    return re.findall(r"[^\W_]+(?:[_’'.-][^\W_]+)*|__\w+__", text.lower())


def content_words(text: str) -> set[str]:
    return {word for word in words(text) if word not in STOP_WORDS and len(word) > 1}


def is_plural(subject: str) -> bool | None:
    """Whether the noun phrase ``subject`` takes a plural verb; None where its form does not tell."""
    if re.search(r"(?:^|\s)and\s", subject):
        return True
    head = subject.split()
    for place, word in enumerate(head):
        if place and word in PREPOSITIONS:
            head = head[:place]
            break
    if not head:
        return None
    first = head[0].lower()
    if first in ("a", "an", "each", "every", "one"):
        return False
    if len(head) == 1 and first[0] in '“"*':
        return None
    last = head[-1].strip('“”"*(),')
    if last.startswith("`") or last.endswith("`"):
        return None if len(head) > 1 else False
    last = last.lower()
    if last in IRREGULAR_PLURALS:
        return None if last == "data" else True
    return last.endswith("s") and not _PLURAL_TRAPS.search(last)


def names_in(text: str) -> frozenset[str]:
    """Words written with a capital inside sentences and never small: names, and what a contract defines."""
    inside = Counter(re.findall(r"\b(?!section|chapter|article|see\b|in\b)[a-z]+,? ([A-Z][\w-]*)(?= [a-z]|[.,;)])", text))
    small = set(re.findall(r"(?<![\w`])[a-z][\w-]+", text))
    twice = {word for word, times in inside.items() if times > 1}  # once may be a title that is quoted
    return frozenset(word for word in twice if word.lower() not in small or word[1:] != word[1:].lower())


def lowered(phrase: str, names: frozenset[str]) -> str:
    """``phrase`` as it stands inside a sentence: its first word small, if that is no name and no abbreviation."""
    first = phrase.split(" ", 1)[0]
    bare = re.split(r"[’']", first.strip('“”"*,.:;()'))[0]
    function_word = bare.lower() in DETERMINERS or bare.lower() in STOP_WORDS
    if not bare or bare[0] == "`" or not bare[0].isupper() or (bare in names and not function_word) or re.search(r"\w[A-Z]|\d", bare):
        return phrase
    at = phrase.index(bare)
    return phrase[:at] + bare[0].lower() + phrase[at + 1 :]


def heading_lowered(heading: str, names: frozenset[str]) -> str:
    """A heading as it stands inside a sentence, its title case undone."""
    return " ".join(part if "`" in part else lowered(part, names) for part in heading.split())
