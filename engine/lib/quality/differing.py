"""Whether two texts that are nearly the same are about the same: "split at the first" and "split at the last" are not."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from sys import intern

from engine.lib.quality.tokens import words
from engine.lib.support import STOP_WORDS

# words of asking, of which one stands for another: they do not tell what is asked about
ASKING = frozenset(
    """
    what which when where who whom whose why how please tell explain describe define state say mean means meaning meant happen happens
    concerning regarding respect subject topic comes come case applies apply purpose used use uses using work works exactly briefly
    short shortly detail details main way know give given list name question answer called call refer refers stand stands
    changed noted noteworthy important consider considered think
    """.split()
)
NOT_TELLING = ASKING | STOP_WORDS
# a name, a number, a piece of code: what texts are precise about
SPECIFIC = re.compile(r"`[^`\n]+`|[A-Za-z_]\w*(?:\.\w+)*\(|\b\w*(?:[a-z][A-Z]|_|\d)\w*(?:[.,]\d+)*|(?<=\s)[-+](?=\s)")
OPPOSITES = {
    word: pair
    for pair, both in enumerate(
        """
        first last/left right/true false/before after/minimum maximum/min max/least most/above below/over under/start end/begin end/
        upper lower/greater less/more fewer/increase decrease/add remove/add delete/set delete/get set/read write/open close/enable disable/
        allow forbid/include exclude/positive negative/even odd/internal external/input output/buy sell/leading trailing/mutable immutable/
        always never/all none/minus plus/import export/encode decode/push pop/accept reject/client server/old new/high low/long short/
        inner outer/parent child/source target/sender receiver/present absent/must may/shall may/should may/can cannot
        """.split("/")
    )
    for word in both.split()
}
TYPO = 0.8  # likeness from which a word that stands once only is a slip of another


@dataclass(frozen=True, slots=True)
class Said:
    """What a prompt and its answer say: their telling words, all words of both, and the names, numbers and code in them."""

    prompt: frozenset[str]
    answer: frozenset[str]
    everything: frozenset[str]
    specifics: frozenset[str]

    @classmethod
    def of(cls, prompt: str, answer: str) -> "Said":
        asked, told = (frozenset(map(intern, words(text))) for text in (prompt, answer))
        named = frozenset(intern(found.strip("`(").lower()) for found in SPECIFIC.findall(f"{prompt}\n{answer}"))
        return cls(asked - NOT_TELLING, told - NOT_TELLING, asked | told, named)


def about_others(one: Said, other: Said, frequency: Callable[[str], int]) -> bool:
    """Whether two are about different things, however alike their words.

    They are where each names something that the other does not; or where both the prompts and the answers have telling words that the
    other side lacks: what was put in place of a word in the question was put in the answer, too. ``frequency``: rows that hold a word.
    """
    if named_apart(one, other):
        return True
    pairs = ((one.prompt, other.prompt), (one.answer, other.answer))
    return all(_explained(a - b, b - a, frequency) for a, b in pairs)


def named_apart(one: Said, other: Said) -> bool:
    """Whether each names something precise that the other does not, or says the opposite."""
    # names are compared to the letter: `strip` is no slip of `rstrip`
    if not (one.specifics <= other.specifics or other.specifics <= one.specifics):
        return True
    mine, yours = (
        {OPPOSITES[word]: word for word in side if word in OPPOSITES}
        for side in (one.everything - other.everything, other.everything - one.everything)
    )
    return any(mine[pair] != yours[pair] for pair in mine.keys() & yours.keys())


def _explained(one: frozenset[str], other: frozenset[str], frequency: Callable[[str], int]) -> bool:
    """Whether both keep words of their own, once forms of a word and slips of the pen are taken away."""
    left_one = [word for word in one if not any(_same(word, its, frequency) for its in other)]
    left_other = [word for word in other if not any(_same(word, its, frequency) for its in one)]
    return bool(left_one and left_other)


def _same(word: str, its: str, frequency: Callable[[str], int]) -> bool:
    """Forms of one word, or one a slip of the other: nobody else writes it so."""
    short, long = sorted((word, its), key=len)
    if len(short) >= 4 and long.startswith(short) and len(long) - len(short) <= 3:
        return True
    if min(frequency(word), frequency(its)) > 1:
        return False
    return difflib.SequenceMatcher(None, word, its, autojunk=False).ratio() >= TYPO
