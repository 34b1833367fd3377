"""Numbers with their 95% intervals, by drawing the rows again and again (the percentile bootstrap)."""

from collections.abc import Callable, Sequence
from typing import Any

DRAWS = 2000
AT_ONCE = 2_000_000  # numbers drawn at a time: large reports must not fill the memory
Estimate = dict[str, float | int]


def mean(values: Sequence[float], seed: int = 0) -> Estimate:
    """The mean of one value a row."""
    import numpy as np

    rows = np.asarray(values, dtype=float)
    return _estimate(len(rows), seed, lambda drawn: rows[drawn].mean(-1))


def ratio(tops: Sequence[float], bottoms: Sequence[float], seed: int = 0) -> Estimate:
    """Sum of ``tops`` by sum of ``bottoms``: a loss per token, from each row's summed loss and number of tokens."""
    import numpy as np

    above, below = np.asarray(tops, dtype=float), np.asarray(bottoms, dtype=float)
    return _estimate(len(above), seed, lambda drawn: above[drawn].sum(-1) / below[drawn].sum(-1))


def _estimate(n: int, seed: int, statistic: Callable[[Any], Any]) -> Estimate:
    """Value on all rows, and the middle 95% of its values on rows drawn with replacement. The same rows for the same seed and n."""
    import numpy as np

    if n == 0:
        raise ValueError("there are no rows to draw from")
    dice = np.random.default_rng(seed)
    rows = max(1, AT_ONCE // n)
    drawn = [statistic(dice.integers(0, n, (min(rows, DRAWS - done), n))) for done in range(0, DRAWS, rows)]
    low, high = np.percentile(np.concatenate(drawn), [2.5, 97.5])
    return {"value": float(statistic(np.arange(n)[None])[0]), "low": float(low), "high": float(high), "n": n}


def power_of_e(estimate: Estimate) -> Estimate:
    """A loss per token as perplexity."""
    import math

    return {key: value if key == "n" else math.exp(min(value, 700)) for key, value in estimate.items()}
