"""Question and answer pairs cut out of a document: every answer is an exact span of it."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from engine.lib.question_shapes import SHAPES, Spot, setting_of
from engine.lib.question_words import DANGLING, content_words, heading_lowered, names_in, words
from engine.lib.sections import Section, plain, sections_of
from engine.lib.sentences import Sentence, sentences_of
from engine.lib.vagueness import TOO_VAGUE, vagueness

GENERIC_HEADINGS = frozenset(
    """introduction overview general notes note footnotes examples example summary conclusion background description details purpose scope
    remarks contents appendix annex preface definitions glossary usage miscellaneous other references abstract see also""".split()
)
_POINTS_ELSEWHERE = re.compile(
    r"\b(below|above|see (also|the|section|chapter)?|sections?|chapters?|following|previous(ly)?|earlier|preceding|aforementioned|"
    r"as follows|"
    r"this (list|table|section|chapter|example|document|paragraph|module’s|page|is|means|allows|can|includes|was|has|will|may)|"
    r"these (are|two|three|functions|methods|types|rules|cases|examples|operations)|in this case|that case|"
    r"still|the (first|second|third|last|latter|former|other) (one|case|form|step|two|three|rule|example|item)s?|"
    r"such (a|an|methods|objects)|example code|for example:|table|figure|FAQ|PEP \d+|documentation|manual|"
    r"the same (way|as)? ?here|our|we|the latter|the former|these|the two|the result|the example|said (object|method)|do(es)? the same)\b",
    re.IGNORECASE,
)
_BROKEN = re.compile(r"\|\s|^\W*$|\*\*|```|::=|^\s*#|https?://|\.\.\. |>>>|\\$|…$|”$(?<!.[.!?]”)|__ |\s[’”]|[“‘]\s|^\(|\[\d+\]")
_ALLOWED_OPENING = re.compile(
    r"(If|When|Unless|Where|Once|Whenever|As (long|soon)|By default|Note that|There (are|exist)|Unlike|In (case|contrast))\b"
)
_CODE_HEADING = re.compile(r"(?:(?:class|async|static|coroutine|method|function) )*(?P<name>[A-Za-z_][\w.]*)\((?P<args>.*)\)$")
# "*i*", "x is", "the given name": something only beside the function they belong to
_OF_A_FUNCTION = re.compile(r"\*[a-z]\*|\bthe given\b|(?<= )(?<!`)[b-hj-z](?= (?:is|and|of|or|are|to|has)\b)")
_PART_OF_HEADING = re.compile(r"[\w`*]+ \(")  # an attribute's name with its type behind it: what changed may be the type's
_OPENERS = ("When it comes to {}, ", "Regarding {}, ", "On the subject of {}, ", "Concerning {}, ")


@dataclass(frozen=True)
class Candidate:
    """``text[start:end]`` is the evidence; ``answer`` is it with its white space joined."""

    question: str
    answer: str
    shape: str
    start: int
    end: int
    score: float
    key: str  # what is asked about what, before it is put into words: two of one key in a document are ambiguous


@dataclass(frozen=True)
class Topic:
    """What a section is about: ``phrase`` leads a question in, ``called`` is set where it is a function's or a command's name."""

    phrase: str
    called: str
    words: frozenset[str]


def candidates_of(text: str, title: str, *, minimum: int, maximum: int, shapes: set[str], about: str = "") -> list[Candidate]:
    """Every pair that the document gives, good ones and doubtful ones, in the order of the text."""
    names = names_in(text) | frozenset(about.split())
    found: list[Candidate] = []
    group = False  # the heading before this one stands over the same text: its description is not of one name alone
    for section in sections_of(text):
        topic = topic_of(section, title, names)
        shared, group = group, not any(block.kind != "heading" for block in section.blocks)
        for sentence, called, opening, alone in _sentences(text, section):
            setting, main = setting_of(sentence.text)
            spot = Spot(main, called or topic.called, opening and not (shared and topic.called), names)
            problem = unfit(sentence.text, minimum, maximum, in_code=bool(spot.called and opening))
            for name, shape in SHAPES.items():
                if name not in shapes or problem:
                    continue
                for made in shape(spot):
                    if setting and "{topic}" not in made.question:
                        continue
                    asked = made.question.replace("{topic}", "{topic}" + setting)
                    question = dressed(asked, topic, called, about, made.needs_topic)
                    vague = vagueness(made.question, topic.words, named=bool(topic.called))
                    if question is None or vague >= TOO_VAGUE or (name == "change" and not called and _PART_OF_HEADING.match(topic.phrase)):
                        continue
                    if _OF_A_FUNCTION.search(f"{asked} {sentence.text}") and not (called or topic.called):
                        continue
                    score = made.score + quality(sentence.text, question, alone) - vague
                    key = normalised(f"{asked} {called or topic.phrase}")
                    found.append(Candidate(question, sentence.text, name, sentence.start, sentence.end, score, key))
    return without_ambiguous(found)


def topic_of(section: Section, title: str, names: frozenset[str]) -> Topic:
    """The nearest heading that says something; one that says little is joined to the one above it."""
    path = [heading for heading in dict.fromkeys([title, *section.headings]) if heading]
    told = [heading for heading in path if not _generic(heading)]
    nearest = told[-1] if told else title
    parent = next((heading for heading in reversed(told[:-1]) if not _CODE_HEADING.match(heading.replace("`", ""))), "")
    code = _CODE_HEADING.match(nearest.replace("`", "")) if path and path[-1] == nearest else None
    # "s(tep)", "c(ont(inue))": an abbreviation, no call
    if code and not ("." not in code["name"] and len(code["name"]) <= 5 and re.fullmatch(r"[a-z()]{2,}", code["args"])):
        name = f"`{code['name']}()`"
        return Topic(_phrase(parent, names) if parent and "." not in name else name, name, frozenset(content_words(nearest)))
    phrase = _phrase(nearest, names)
    if len(content_words(phrase)) < 2 and parent and not (content_words(phrase) & content_words(parent)):
        phrase = f"{phrase} ({_phrase(parent, names)})"
    return Topic(phrase, "", frozenset(content_words(phrase)))


def _phrase(heading: str, names: frozenset[str]) -> str:
    """A heading as part of a sentence; a long or odd one in quotes."""
    bare = re.sub(r"^\d+(\.\d+)*\.?\s+", "", re.sub(r"(?<!\w)\*+|\*+(?!\w)", "", heading)).strip(" .:")
    bare = re.sub(r"^(Article|Section|Chapter|Part|Annex|Clause|Appendix)\s+[\dIVXLA-Z.]+\s*[:.–—-]\s*(?=\w)", "", bare)
    if len(bare.split()) > 8 or re.search(r"[?!:—]", bare):
        return f"“{bare}”"
    phrase = heading_lowered(bare, names)
    singular = re.search(
        r"\b(statement|clause|operator|method|function|type|attribute|class|object|module|loop|keyword|procedure|policy|agreement)$", phrase
    )
    if singular and not re.match(r"(the|an?|your|our|\w+ing)\b", phrase):
        phrase = f"the {phrase}"
    return phrase


def dressed(question: str, topic: Topic, called: str, about: str, needs_topic: bool) -> str | None:
    """The whole question, with as much context as it needs to stand on its own."""
    body = question.replace("{topic}", "")
    said = content_words(body)
    name = called or topic.called
    # a name without a dot, such as `get()`, is told apart by what it belongs to
    stands_alone = not needs_topic and "." in name
    # a function whose parameter is asked about is named, though the parameter's name stands in its heading
    unnamed = bool(name) and needs_topic and name.strip("`()").rsplit(".", 1)[-1] not in body
    if stands_alone or not topic.phrase or (not unnamed and topic.words & said and len(topic.words & said) >= min(2, len(topic.words))):
        lead = f"In {about}, " if about else ""
    elif "[" in topic.phrase and not name:
        return None  # a line of syntax for a heading is no topic that could be named in a sentence
    elif name and needs_topic:
        lead = f"For {name}, "
    else:
        lead = _OPENERS[zlib.crc32(body.encode()) % len(_OPENERS)].format(topic.phrase)
    whole = " ".join((lead + body).split())
    if len(whole) > 260 or whole.count("`") % 2:
        return None
    return whole[0].upper() + whole[1:]


def unfit(answer: str, minimum: int, maximum: int, in_code: bool = False) -> str:
    """Why the sentence is no answer to anything; empty if it is one."""
    if not minimum <= len(answer) <= maximum:
        return "length"
    if answer[-1] not in ".!?" and not re.search(r"[.!?][)”\"]$", answer):
        return "end"
    if not re.match(r"[A-Z`“*]", answer):
        return "start"
    found = words(answer)
    if not found or len(found) < 6:
        return "short"
    head = found[0]
    if setting_of(answer)[0]:
        head = words(setting_of(answer)[1])[0] if words(setting_of(answer)[1]) else head
        if head in ("if", "when", "in", "by", "use"):
            return "dangling"
    allowed = ("if", "when", "unless", "where", "once", "as", "whenever", "by", "note", "there", "unlike", "in", "use")
    follows_like = in_code and head == "like"  # "Like `find()`, but …" under the heading of another function
    if head in DANGLING and not follows_like and not (head in allowed and _ALLOWED_OPENING.match(answer)):
        return "dangling"
    if _BROKEN.search(re.sub(r"\*\*([^*`\n]{1,60})\*\*", r"\1", answer)) or answer.count("`") % 2 or answer.count("(") != answer.count(")"):
        return "broken"
    if answer.count("“") != answer.count("”") or answer.count("[") != answer.count("]"):
        return "broken"
    if _POINTS_ELSEWHERE.search(answer):
        return "points elsewhere"
    letters = sum(letter.isalpha() or letter.isspace() for letter in answer)
    return "symbols" if letters < 0.8 * len(answer) else ""


def quality(answer: str, question: str, alone: bool) -> float:
    """Between about -0.3 and 0.3: long enough to teach, question and answer about the same, neither vague."""
    score = 0.1 if 70 <= len(answer) <= 260 else 0.0
    said, told = content_words(question), content_words(answer)
    score += 0.1 * min(1.0, len(said & told) / 4)
    new = len(told - said)
    score += 0.1 if new >= 5 else -0.25 if new < 3 else 0.0
    if len(question) > 170:
        score -= 0.1
    if re.search(r"\b(it|they|them|its|their)\b", question):
        score -= 0.15
    if re.search(r"\b(this|those|such)\b", answer):
        score -= 0.5
    return score + (0.05 if alone else 0.0)


def without_ambiguous(found: list[Candidate]) -> list[Candidate]:
    """Pairs whose question is asked once. Two places that answer one question make it ambiguous: both go."""
    asked: dict[str, list[Candidate]] = {}
    for candidate in found:
        asked.setdefault(candidate.key, []).append(candidate)
    return [rows[0] for rows in asked.values() if len({row.start for row in rows}) == 1]


def normalised(question: str) -> str:
    return " ".join(words(question))


def _generic(heading: str) -> bool:
    found = words(plain(heading))
    return not found or all(word in GENERIC_HEADINGS or word.isdigit() for word in found)


_LABEL = re.compile(r"(\*\*)?(Note|Warning|Important|Caution|Tip)(\*\*)?:(\*\*)? |\*\*[^*\n]{3,40}:\*\* |\[\d+\] ")


def _sentences(text: str, section: Section) -> Iterator[tuple[Sentence, str, bool, bool]]:
    """The section's sentences; with each: the name in code that a bold line above it gives, is it the first under a heading or such
    a line, does it open its paragraph."""
    called, opening = "", True
    for block in section.blocks:
        if block.kind == "heading":
            called, opening = "", True
            continue
        if block.kind not in ("paragraph", "item"):
            opening = False
            continue
        whole = text[block.start : block.end]
        bold = re.fullmatch(r"\*\*`?([^*`]+)`?\*\*", whole)
        if bold:  # a heading in all but its marks
            code = _CODE_HEADING.match(bold[1])
            called, opening = f"`{code['name']}()`" if code else "", bool(code)
            continue
        start = block.start
        label = _LABEL.match(text, start, block.end)
        if label:
            start = label.end()
        for number, sentence in enumerate(sentences_of(text, start, block.end)):
            yield sentence, called, opening and number == 0 and block.kind == "paragraph" and not label, number == 0
            opening = False
        called, opening = "", False
