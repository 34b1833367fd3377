"""Rules by which an answer is rewarded: each gives 0 to 1, the more the better. What a model says is read, never executed."""

import json
import re
from collections.abc import Sequence
from re import _parser  # type: ignore[attr-defined]  # how deep counts lie in one another only the parsed pattern says
from typing import Any

from engine.lib import json_shape

LOOKED_AT = 20_000  # characters of an answer
PATIENCE = 0.25  # seconds of computing for one answer; a sound pattern takes thousandths of that
LONGEST_PATTERN = 500
MOST_REPEATS = 1000  # that a pattern may count out in braces: they are written out when it is prepared, and take memory
ESCAPED = re.compile(r"\\.|\[\^?\]?(?:\\.|[^]\\])*\]", re.DOTALL)  # where a brace means itself: after a backslash, and in a class
INEXACT = re.compile(r"\{(?:e|\d*[dis]|\d+<)")  # what `regex` reads as "with so many errors", and `re` as a brace
# what a model that has lost its way writes; patterns that go back and forth take longest over such
TRIALS = ("a" * 4000, "x" * 4000, "0" * 4000, " " * 4000, "a b " * 1000, "a, " * 1000, "{" * 4000, "\n" * 4000, "word\n" * 800)


class TooSlow(Exception):
    """A pattern tries so many ways that it comes to no end in time."""


def check_pattern(pattern: str) -> None:
    """Raise ``ValueError`` in words for a pattern that cannot be used."""
    import regex

    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"The pattern may have at most {LONGEST_PATTERN} characters.")
    if INEXACT.search(ESCAPED.sub("_", pattern)):
        raise ValueError(
            "A brace before one of the letters d, e, i and s asks for an inexact match, which is not offered. Write \\{ for a brace."
        )
    try:
        repeats = _counted_out(_parser.parse(pattern))
    except OverflowError:
        repeats = MOST_REPEATS + 1
    except (re.error, RecursionError) as error:
        raise ValueError(f"This is no regular expression: {error}.") from error
    if repeats > MOST_REPEATS:
        raise ValueError(
            f"The pattern counts too far: its numbers in braces may make at most {MOST_REPEATS} together, inside one another multiplied."
        )
    try:
        regex.compile(pattern, regex.DOTALL)  # it does the matching, and does not know quite the same patterns
    except (regex.error, RecursionError) as error:
        raise ValueError(f"This is no regular expression: {error}.") from error


def _counted_out(parsed: Any) -> int:
    """How many repetitions the least counts of ``parsed``, by Python's own parser, write out: side by side they add up."""
    found = 0
    for operation, argument in parsed:
        if operation in (_parser.MAX_REPEAT, _parser.MIN_REPEAT, _parser.POSSESSIVE_REPEAT):
            least, _, repeated = argument
            inside = _counted_out(repeated)
            found += least * max(1, inside) if least > 1 else inside
        else:
            found += sum(_counted_out(part) for part in _parts(argument))
    return found


def _parts(argument: Any) -> list[Any]:
    """The patterns within what an operation is about: a group's, a look-around's, the branches of an alternative."""
    if isinstance(argument, _parser.SubPattern):
        return [argument]
    return [part for one in argument for part in _parts(one)] if isinstance(argument, tuple | list) else []


class Pattern:
    """A regular expression (Python's) that whole answers must match. ``.`` stands for a line break as well.

    It is matched by the package `regex`, which can be given a limit of time: a pattern that goes back and forth without end would
    otherwise hold up the training, and no check of the pattern alone tells for sure.
    """

    def __init__(self, pattern: str) -> None:
        import regex

        check_pattern(pattern)
        self._compiled = regex.compile(pattern, regex.DOTALL)

    def matches(self, answer: str) -> bool:
        """Whether ``answer``, without white space around it, is of this form. Raises ``TooSlow``."""
        text = answer.strip()
        if len(text) > LOOKED_AT:
            return False
        try:
            return self._compiled.fullmatch(text, timeout=PATIENCE) is not None
        except TimeoutError as error:
            raise TooSlow from error


def json_form(answer: str, schema: dict[str, Any]) -> float:
    """1 for JSON of the shape of ``schema`` (`json_shape.parse`), 0.5 for other JSON, 0 for what is no JSON."""
    try:
        value = json.loads(answer.strip()[:LOOKED_AT])
    except (ValueError, RecursionError):
        return 0.0
    return 1.0 if json_shape.fits(value, schema) else 0.5


def terms(text: str) -> list[str]:
    """One a line; empty lines and repetitions are passed over."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def occurs(term: str, answer: str) -> bool:
    """Whether ``term`` stands in ``answer`` as words of its own, in upper or lower case."""
    wanted = r"\s+".join(re.escape(word) for word in term.split())
    return re.search(rf"(?<!\w){wanted}(?!\w)", answer[:LOOKED_AT], re.IGNORECASE) is not None


def share_present(answer: str, wanted: Sequence[str]) -> float:
    """The share of the terms that occur."""
    return sum(occurs(term, answer) for term in wanted) / len(wanted)


def share_absent(answer: str, unwanted: Sequence[str]) -> float:
    """The share of the terms that do not occur."""
    return 1 - share_present(answer, unwanted)


def within_length(answer: str, fewest: int, most: int) -> float:
    """1 for ``fewest`` to ``most`` words (0: no such bound). Below, their share of the fewest; above, the share of the most in them."""
    count = len(answer.split())
    if count < fewest:
        return count / fewest
    return most / count if most and count > most else 1.0
