"""Near-duplicates among many texts: MinHash signatures and locality-sensitive hashing, in arrays.

Two texts whose sets of shingles (single words and pairs of words) have Jaccard similarity s agree in one place of their signatures with
probability s. ``BANDS`` bands of ``ROWS`` places each make two texts candidates with probability 1 − (1 − s^ROWS)^BANDS: 0.98 at 0.6,
above 0.999 at 0.7, 0.13 at 0.3.
"""

from collections.abc import Iterator
from typing import Any

from engine.lib.quality.tokens import Tokens

BANDS, ROWS = 32, 4
BLOCK = 400_000  # shingles hashed at once: bounds memory, not the result
PART = 50_000  # candidates whose signatures are compared at once
CROWD = 24  # in a larger bucket a text is compared with its first and its neighbours alone: n, not n², comparisons
NEIGHBOURS = 6


def shingles(tokens: Tokens) -> tuple[Any, Any]:
    """(hash, text) of each text's single words and pairs of words, sorted by text, none twice."""
    import numpy as np

    single, owner = tokens.grams(1)
    double, owner_2 = tokens.grams(2)
    hashes, owners = np.concatenate([single, double]), np.concatenate([owner, owner_2])
    order = np.lexsort((hashes, owners))
    hashes, owners = hashes[order], owners[order]
    new = np.ones(len(hashes), bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return hashes[new], owners[new]


def signatures(hashes: Any, owners: Any, count: int, seed: int) -> Any:
    """A row of ``BANDS * ROWS`` uint32 a text; texts without a shingle have the greatest number throughout."""
    import numpy as np

    dice = np.random.default_rng(seed)
    places = BANDS * ROWS
    factor = dice.integers(1, 2**63, places, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    shift = dice.integers(0, 2**63, places, dtype=np.uint64)
    made = np.full((count, places), np.iinfo(np.uint32).max, np.uint32)
    bounds = np.searchsorted(owners, np.arange(count + 1))
    text = 0
    with np.errstate(over="ignore"):
        while text < count:
            end = max(text + 1, int(np.searchsorted(bounds, bounds[text] + BLOCK, "right")) - 1)
            part = hashes[bounds[text] : bounds[end]]
            filled = np.flatnonzero(np.diff(bounds[text : end + 1]))
            if len(filled):
                begins = (bounds[text:end] - bounds[text])[filled]
                for place in range(places):
                    mixed = ((part * factor[place] + shift[place]) >> np.uint64(32)).astype(np.uint32)
                    made[text + filled, place] = np.minimum.reduceat(mixed, begins)
            text = end
    return made


def candidates(signed: Any, least: float) -> Iterator[tuple[int, int]]:
    """Pairs of texts that agree in a whole band and, by all their signatures, in a share of ``least``; smaller number first, each once."""
    import numpy as np

    count = len(signed)
    seen: list[Any] = []
    for band in range(BANDS):
        key = _joined(signed[:, band * ROWS : (band + 1) * ROWS])
        order = np.argsort(key, kind="stable")
        begins = np.flatnonzero(np.concatenate([[True], np.diff(key[order]) != 0]))
        lengths = np.diff(np.concatenate([begins, [count]]))
        found = [_within(order[begin : begin + length]) for begin, length in zip(begins[lengths > 1], lengths[lengths > 1], strict=True)]
        if found:
            seen.append(np.unique(np.concatenate([first * count + second for first, second in found])))
    if not seen:
        return
    both = np.unique(np.concatenate(seen))
    for begin in range(0, len(both), PART):
        first, second = np.divmod(both[begin : begin + PART], count)
        alike = (signed[first] == signed[second]).mean(axis=1) >= least
        yield from zip(first[alike].tolist(), second[alike].tolist(), strict=True)


def _joined(columns: Any) -> Any:
    """One number for each row of ``columns``."""
    import numpy as np

    key = np.zeros(len(columns), np.uint64)
    with np.errstate(over="ignore"):
        for place in range(columns.shape[1]):
            key = (key ^ columns[:, place].astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(31)
    return key


def _within(bucket: Any) -> tuple[Any, Any]:
    """Which texts of a bucket, sorted by number, are compared: all of a small one."""
    import numpy as np

    if len(bucket) <= CROWD:
        first, second = np.triu_indices(len(bucket), 1)
        return bucket[first], bucket[second]
    firsts = [np.full(len(bucket) - 1, bucket[0])] + [bucket[:-step] for step in range(1, NEIGHBOURS)]
    seconds = [bucket[1:]] + [bucket[step:] for step in range(1, NEIGHBOURS)]
    return np.concatenate(firsts), np.concatenate(seconds)
