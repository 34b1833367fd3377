"""Insults, slurs and obscenities, by a list of words."""

from functools import cache
from pathlib import Path

from engine.lib.quality.material import Material
from engine.lib.quality.registry import Finding, Found, Rule, check, share
from engine.lib.quality.tokens import words

LIST = Path(__file__).parent.parent / "offensive_words.txt"


@check("toxicity")
def toxicity(material: Material, rule: Rule) -> Found:
    """The share of rows, in %, that hold a word or phrase of the list: in a turn, the system prompt or a rejected answer."""
    rows, findings, in_system = material.rows, [], cache(offence)  # many rows have the same system prompt
    in_turns = {number: found for number in _likely(material) if (found := offence(rows[number].text))}
    for number, row in enumerate(rows):
        material.tell(number, len(rows))
        said = in_turns.get(number, ""), in_system(row.system), offence(row.worse_text)
        for word, where in zip(said, ("", " in the system prompt", " in the rejected answer"), strict=True):
            if word:
                findings.append(Finding(row, f"Says “{word[0]}…”{where}, a word of the list"))
                break
    return Found(share(len(findings), len(rows)), findings)


def offence(text: str) -> str:
    """The first word of the list in ``text``, or else the first phrase; empty where there is none."""
    if not text:
        return ""
    single, phrases = offensive()
    said = words(text)
    return next((word for word in said if word in single), "") or _phrase(said, phrases)


@cache
def offensive() -> tuple[frozenset[str], tuple[tuple[str, ...], ...]]:
    """Single words, and phrases as tuples of words."""
    lines = [tuple(words(line)) for line in LIST.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]
    return frozenset(line[0] for line in lines if len(line) == 1), tuple(line for line in lines if len(line) > 1)


def _likely(material: Material) -> list[int]:
    """The rows whose turns have a word of the list, or the first of a phrase: most have none, as the vocabulary of all tells at once."""
    import numpy as np

    single, phrases = offensive()
    tokens, known = material.tokens, material.tokens.vocabulary
    wanted = {known[word] for word in (*single, *(phrase[0] for phrase in phrases)) if word in known}
    places = np.flatnonzero(np.isin(tokens.ids, np.array(sorted(wanted), np.uint64)))
    return np.unique(np.searchsorted(tokens.starts, places, "right") - 1).tolist()


def _phrase(said: list[str], phrases: tuple[tuple[str, ...], ...]) -> str:
    there = set(said)
    for phrase in phrases:
        if phrase[0] in there and any(tuple(said[at : at + len(phrase)]) == phrase for at in range(len(said))):
            return " ".join(phrase)
    return ""
