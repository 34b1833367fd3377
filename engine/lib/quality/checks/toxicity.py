"""Insults, slurs and obscenities, by a list of words."""

from functools import cache
from pathlib import Path

from engine.lib.quality.material import Material
from engine.lib.quality.registry import Finding, Found, Rule, check, share
from engine.lib.quality.tokens import words

LIST = Path(__file__).parent.parent / "offensive_words.txt"


@check("toxicity")
def toxicity(material: Material, rule: Rule) -> Found:
    """The share of rows, in %, that hold a word or phrase of the list."""
    single, phrases = offensive()
    known = material.tokens.vocabulary
    # most rows have none of the words: found in the vocabulary first, then in the rows
    wanted = {known[word] for word in single if word in known} | {known[phrase[0]] for phrase in phrases if phrase[0] in known}
    findings = []
    for number in _holding(material, wanted):
        row = material.rows[number]
        said = words(row.text)
        if found := next((word for word in said if word in single), None) or _phrase(said, phrases):
            findings.append(Finding(row, f"Says “{found[0]}…”, a word of the list"))
    return Found(share(len(findings), len(material.rows)), findings)


@cache
def offensive() -> tuple[frozenset[str], tuple[tuple[str, ...], ...]]:
    """Single words, and phrases as tuples of words."""
    lines = [tuple(words(line)) for line in LIST.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]
    return frozenset(line[0] for line in lines if len(line) == 1), tuple(line for line in lines if len(line) > 1)


def _holding(material: Material, wanted: set[int]) -> list[int]:
    import numpy as np

    tokens = material.tokens
    places = np.flatnonzero(np.isin(tokens.ids, np.array(sorted(wanted), np.uint64)))
    return np.unique(np.searchsorted(tokens.starts, places, "right") - 1).tolist()


def _phrase(said: list[str], phrases: tuple[tuple[str, ...], ...]) -> str | None:
    for phrase in phrases:
        if phrase[0] in said and any(tuple(said[at : at + len(phrase)]) == phrase for at in range(len(said))):
            return " ".join(phrase)
    return None
