"""How far an answer stands in its source, word by word and number by number, with no model."""

import re
from collections import Counter
from functools import cache, lru_cache
from typing import Any

from engine.lib.sentences import sentences_of

UNKNOWN = 0.5  # for an answer of which no word says anything, such as "Yes."
WRONG_NUMBER = 0.4  # the most that a sentence gets with a number that the source does not have
TURNED_ROUND = 0.5  # the most that a sentence gets which says "not" where the source says it nowhere, or the other way round
WINDOW = 3  # a sentence's words are looked for together in a stretch of the source this many times as long…
LEAST_WINDOW = 24  # …and never shorter than this, in words
NUMBER_WORDS = {word: str(number) for number, word in enumerate("two three four five six seven eight nine ten eleven twelve".split(), 2)}
NEGATIONS = frozenset("not no never none nothing cannot neither nor without nicht kein keine keinen keiner nie niemals ohne".split())
STOP_WORDS = frozenset(
    """
    a an the this that these those it its they them their he she his her we us our you your i my me one and or but nor so if then than
    as of in on at by to from for with within into onto over under up down out off about between through during before after while
    is are was were be been being am do does did done doing has have had having will would shall should can could may might must
    there here which who whom whose what when where why how all any each some such only own same too very just also both more most other
    however therefore thus because since yes not no never none cannot neither without
    der die das den dem des ein eine einen einem einer eines und oder aber wenn dann als von im in am an auf aus bei mit nach zu zur zum
    für über unter durch vor ist sind war waren sein wird werden wurde wurden hat haben hatte kann können muss müssen soll sollen darf
    es er sie wir ihr man sich auch nur noch schon so wie was wer wo dass nicht kein keine keinen keiner nie ohne
    """.split()
)
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d]+(?:['’][^\W\d]+)?|[^\W]+")
_MARKS = re.compile(r"^\s*(?:\d{1,3}[.)]|[-*•])\s+", re.MULTILINE)  # of a list: they say nothing
_FOLLOWED_BY_NOT = re.compile(r"n['’]t\b")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")  # scripts without spaces between words


def support(answer: str, source: str) -> float:
    """How far ``source`` says what ``answer`` says: 1 for a quote, near 0 for something else; both are plain text.

    Each sentence's telling words are looked for in the source, in any form ("cleaned", "cleaning") and near each other. A number that the
    source lacks, or a "not" on one side only, pulls its sentence down. The weakest sentence counts as much as all of them together: one
    invented sentence makes an answer wrong. 0 for an empty answer or source; ``UNKNOWN`` for an answer without a telling word.
    """
    if not answer.strip() or not source.strip():
        return 0.0
    if joined(answer) in joined(source):
        return 1.0
    there = _Source(source)
    scored = [(there.score(words), len(words)) for words in map(_words, _sentences(answer)) if _telling(words)]
    if not scored:
        return UNKNOWN
    mean = sum(score * length for score, length in scored) / sum(length for _, length in scored)
    weakest = min((score for score, length in scored if length >= 4), default=mean)
    return round((mean + min(mean, weakest)) / 2, 4)


def joined(text: str) -> str:
    """``text`` as it is compared: lower case, plain quotes and dashes, single spaces, no space or mark at its ends."""
    plain = text.lower().translate(_PLAIN)
    return " ".join(plain.split()).strip(" .,;:!?\"'`*")


_PLAIN = str.maketrans({"“": '"', "”": '"', "„": '"', "’": "'", "‘": "'", "–": "-", "—": "-", "\u00a0": " ", "\u00ad": ""})


class _Source:
    """A source's words in the forms they are looked for."""

    def __init__(self, text: str) -> None:
        said = _words(text)
        self.telling = _telling(said)
        self.there = set(self.telling)
        self.numbers = {word for word in self.telling if word[0].isdigit()}
        self.negated = any(word in NEGATIONS for word in said)
        self.stretches = _by_sentence(text)

    def score(self, said: list[str]) -> float:
        telling = _telling(said)
        anywhere = sum(word in self.there for word in telling) / len(telling)
        score = anywhere * (0.4 + 0.6 * self._together(telling))
        if any(word[0].isdigit() and word not in self.numbers for word in telling):
            return min(score, WRONG_NUMBER)
        if self._turned_round(said, telling):
            return min(score, TURNED_ROUND)
        return score

    def _together(self, telling: list[str]) -> float:
        """The largest share of ``telling`` that one stretch of the source holds."""
        width, wanted = max(WINDOW * len(telling), LEAST_WINDOW), Counter(telling)
        seen: Counter[str] = Counter()
        held = best = 0
        for place, word in enumerate(self.telling):
            if word in wanted:
                seen[word] += 1
                held += seen[word] <= wanted[word]
            if place >= width and (gone := self.telling[place - width]) in wanted:
                held -= seen[gone] <= wanted[gone]
                seen[gone] -= 1
            best = max(best, held)
        return best / len(telling)

    def _turned_round(self, said: list[str], telling: list[str]) -> bool:
        """Whether the sentence says "not" and the source's nearest sentence does not, or the other way round."""
        negated = any(word in NEGATIONS for word in said)
        if negated and not self.negated:
            return True
        wanted = set(telling)
        nearest = max(self.stretches, key=lambda one: len(wanted & one[0]) / (4 + len(one[0])), default=None)
        # only where the two are clearly the same sentence: else another one may well say "not"
        return nearest is not None and len(wanted & nearest[0]) >= max(3, 0.8 * len(wanted)) and negated != nearest[1]


def _by_sentence(text: str) -> list[tuple[set[str], bool]]:
    """Each sentence's telling words, and whether it says "not"."""
    parts = [_words(part) for part in _sentences(text)]
    return [(set(_telling(words)), any(word in NEGATIONS for word in words)) for words in parts]


def _sentences(text: str) -> list[str]:
    """Sentences, a list's points each on its own."""
    return [one.text for line in _MARKS.sub("", text).splitlines() for one in sentences_of(line, 0, len(line))]


def _words(text: str) -> list[str]:
    """Words in lower case, numbers in one form, "n't" as "not"; scripts without spaces in steps of two characters."""
    found: list[str] = []
    for word in _WORD.findall(_FOLLOWED_BY_NOT.sub(" not", _MARKS.sub("", text).lower())):
        if word[0].isdigit():
            found.append(_number(word))
        elif _UNSPACED.search(word):
            found += [word[at : at + 2] for at in range(max(1, len(word) - 1))]
        else:
            found.append(NUMBER_WORDS.get(word, word))
    return found


def _number(word: str) -> str:
    """ "1,000" and "1000" are one number, and so are "3.50" and "3.5"."""
    plain = re.sub(r",(?=\d{3}(?:\D|$))", "", word)
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _telling(words: list[str]) -> list[str]:
    return [_stem(word) for word in words if word not in STOP_WORDS]


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    return str(_stemmer().stem(word.replace("’", "'"))) if word[0].isalpha() else word


@cache
def _stemmer() -> Any:
    from nltk.stem.snowball import SnowballStemmer

    return SnowballStemmer("english")
