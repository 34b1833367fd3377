"""Which rows say nearly the same: candidates by MinHash, then compared word by word."""

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from engine.lib.quality.differing import Said, about_others, named_apart
from engine.lib.quality.minhash import candidates, shingles, signatures
from engine.lib.quality.tokens import words

if TYPE_CHECKING:
    from engine.lib.quality.material import Material

WHOLE, PROMPT, ANSWER = 0.6, 0.5, 0.5  # least Jaccard similarity of the row, of its prompt, of its answer
MARGIN = 0.15  # by how much the signatures may err
KEPT = 20_000  # rows whose words are in memory at once
FEWEST_WORDS = 4  # shorter rows are alike by chance


def near_pairs(material: "Material") -> list[tuple[int, int, float]]:
    """(row, row, similarity): prompt and answer must both be alike, for one answer may rightly have several questions."""
    tokens, rows = material.tokens, material.rows
    hashes, owners = shingles(tokens)
    signed = signatures(hashes, owners, len(tokens), material.seed)
    lengths = (tokens.starts[1:] - tokens.starts[:-1]).tolist()

    @lru_cache(KEPT)
    def said(number: int) -> Said:
        return Said.of(rows[number].prompt, rows[number].answer)

    @lru_cache(KEPT)
    def grams(number: int) -> tuple[frozenset[int], frozenset[int]]:
        return _grams(rows[number].prompt), _grams(rows[number].answer)

    found = []
    for first, second in candidates(signed, WHOLE - MARGIN):
        material.tell(first, len(rows))
        if min(lengths[first], lengths[second]) < FEWEST_WORDS or named_apart(said(first), said(second)):
            continue
        (prompt, answer), (other_prompt, other_answer) = grams(first), grams(second)
        if jaccard(answer, other_answer) < ANSWER or jaccard(prompt, other_prompt) < PROMPT:
            continue
        whole = jaccard(prompt | answer, other_prompt | other_answer)
        if whole >= WHOLE and not about_others(said(first), said(second), material.frequency):
            found.append((first, second, round(whole, 3)))
    return found


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    if not one and not other:
        return 1.0
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _grams(text: str) -> frozenset[int]:
    """Single words and pairs of words, as their hashes."""
    said = [hash(word) for word in words(text)]
    return frozenset([*said, *(hash(both) for both in pairwise(said))])
