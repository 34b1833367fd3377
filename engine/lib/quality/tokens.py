"""Words of many texts as numbers, so that shingles are counted in arrays rather than in loops."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# scripts without spaces between words: each character counts as a word
_WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+")
_MIX = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio: spreads neighbouring numbers over all bits


def words(text: str) -> list[str]:
    """Words in lower case, of any script; punctuation is dropped."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


@dataclass
class Tokens:
    """``ids`` of all texts in one array; text ``n`` is ``ids[starts[n]:starts[n + 1]]``."""

    ids: Any
    starts: Any
    vocabulary: dict[str, int]

    @classmethod
    def of(cls, texts: Sequence[str], vocabulary: dict[str, int] | None = None) -> "Tokens":
        import numpy as np

        known: dict[str, int] = {} if vocabulary is None else vocabulary
        flat: list[int] = []
        starts = [0]
        for text in texts:
            flat.extend(known.setdefault(word, len(known)) for word in words(text))
            starts.append(len(flat))
        return cls(np.array(flat, dtype=np.uint64), np.array(starts, dtype=np.int64), known)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def grams(self, length: int) -> tuple[Any, Any]:
        """(hash of each run of ``length`` words, the text it stands in). Runs do not cross from one text into the next."""
        import numpy as np

        if len(self.ids) < length:
            return np.empty(0, np.uint64), np.empty(0, np.int64)
        owners = np.repeat(np.arange(len(self)), np.diff(self.starts))
        count = len(self.ids) - length + 1
        hashes = np.zeros(count, np.uint64)
        with np.errstate(over="ignore"):
            for place in range(length):
                hashes = (hashes + self.ids[place : place + count] + np.uint64(length)) * np.uint64(_MIX)
                hashes ^= hashes >> np.uint64(29)
        whole = owners[:count] == owners[length - 1 :]
        return hashes[whole], owners[:count][whole]
