"""Where a pair comes from, and what makes two questions the same."""

import hashlib
import re
import unicodedata
from dataclasses import asdict, dataclass
from typing import Any, Self

_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


@dataclass(frozen=True)
class Source:
    """A span of a document's text. ``document`` and ``version`` are the primary keys in retrieval, ``evidence`` is ``text[start:end]``."""

    document: str
    version: str
    page: int | None
    start: int
    end: int
    evidence: str

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        return cls(
            document=str(data["document"]),
            version=str(data["version"]),
            page=data.get("page"),
            start=int(data["start"]),
            end=int(data["end"]),
            evidence=str(data["evidence"]),
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def holds_in(self, text: str) -> bool:
        """Whether the evidence still stands where it was found."""
        return 0 <= self.start < self.end <= len(text) and text[self.start : self.end] == self.evidence


def normalised(question: str) -> str:
    """The question as it counts when two are compared: case, spacing and outer punctuation make no difference."""
    text = " ".join(unicodedata.normalize("NFKC", question).casefold().split())
    return _EDGES.sub("", text) or text


def question_hash(question: str, *earlier: str) -> str:
    """What two pairs with the same prompt share: of the last question and, in a longer conversation, of the turns before it."""
    return hashlib.sha256("\n".join(normalised(turn) for turn in (*earlier, question)).encode()).hexdigest()


def answer_hash(answer: str) -> int:
    """What two pairs with the same answer share, word for word: 64 bits, signed as databases keep them."""
    return int.from_bytes(hashlib.blake2b(answer.encode(), digest_size=8).digest(), "big", signed=True)
