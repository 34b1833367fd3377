"""What the checks look at: the rows, and what several of them need of the rows, worked out once."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from engine.lib.quality.passages import Passage, bare_among
from engine.lib.quality.tokens import Tokens

BLOCK = 1024  # rows compared with all others at once
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a `pair-rows` artifact.

    ``prompt`` is everything before the last answer but the system turn, ``context`` the passages it rests on, ``spans`` where in which
    version of a document its evidence stands (start and end in characters). ``rejected``: the worse turns of a preference pair, which would
    stand in place of ``messages[fork:]``; empty for most.
    """

    id: str
    messages: list[dict[str, str]]
    question: str
    prompt: str
    answer: str
    context: str
    shape: str
    topic: str
    language: str
    status: str
    decided: str
    origin: str
    parent: str
    documents: tuple[str, ...]
    spans: tuple[tuple[str, int, int], ...]
    split: str
    stale: bool
    rejected: list[dict[str, str]]
    fork: int

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Row":
        """Lenient where a check is to say what is wrong; raises ``ValueError`` for a line that is no row at all."""
        messages = data.get("messages")
        if not isinstance(data.get("id"), str) or not isinstance(messages, list):
            raise ValueError("a row needs an id and messages")
        turns, rejected = _turns(messages), _turns(data.get("rejected") or [])
        fork = data.get("fork")
        told = [one["content"] for one in turns if one["role"] != "system"]
        words = {
            name: str(data.get(name) or "") for name in ("context", "topic", "language", "status", "decided", "origin", "parent", "split")
        }
        sources = [one for one in data.get("sources") or [] if isinstance(one, dict)]
        return cls(
            id=data["id"],
            messages=turns,
            question=next((one["content"] for one in turns if one["role"] == "user"), ""),
            prompt="\n".join(told[:-1]),
            answer=turns[-1]["content"] if turns and turns[-1]["role"] == "assistant" else "",
            shape=str(data.get("shape") or "free"),
            documents=tuple(dict.fromkeys(str(one.get("document")) for one in sources)),
            spans=tuple((str(one.get("version")), int(one.get("start") or 0), int(one.get("end") or 0)) for one in sources),
            stale=bool(data.get("stale")),
            rejected=rejected,
            fork=fork if isinstance(fork, int) else max(0, len(turns) - 1),
            **words,
        )

    @property
    def text(self) -> str:
        return f"{self.prompt}\n{self.answer}"

    @property
    def system(self) -> str:
        """What its system turns say."""
        return "\n".join(one["content"] for one in self.messages if one["role"] == "system")

    @property
    def worse(self) -> list[dict[str, str]]:
        """The whole conversation with the rejected answer; empty where there is none."""
        return [*self.messages[: self.fork], *self.rejected] if self.rejected else []

    @property
    def worse_text(self) -> str:
        """What its rejected turns say."""
        return "\n".join(one["content"] for one in self.rejected)


def _turns(given: Any) -> list[dict[str, str]]:
    turns = given if isinstance(given, list) else []
    return [{"role": str(one.get("role", "")), "content": str(one.get("content") or "")} for one in turns if isinstance(one, dict)]


def normalised(text: str) -> str:
    """``text`` as it counts when two are compared: case, spacing and outer punctuation make no difference."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return _EDGES.sub("", plain) or plain


@dataclass
class Material:
    """``documents``: the lines of ``documents.jsonl``. ``passages``: those of the documents as they are today; ``passage_vectors``: a row
    for each chunk, by ``Passage.number``, or None. ``tokenizer``: that of the model to be trained, which is called ``model``; None without
    one. ``asked`` and ``said``: what the embedding model makes of prompt and answer, a unit-length row for each of the rows numbered in
    ``embedded``; None without such a model. ``tell(done, total)`` is called by checks that take long.
    """

    rows: list[Row]
    documents: list[dict[str, Any]] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    passage_vectors: Any = None
    seed: int = 0
    context_tokens: int = 1024
    tokenizer: Any = None
    model: str = "the model"
    asked: Any = None
    said: Any = None
    embedded: list[int] = field(default_factory=list)
    tell: Callable[[float, float], None] = lambda done, total: None

    @cached_property
    def prompts(self) -> list[str]:
        """The prompts, normalised."""
        return [normalised(row.prompt) for row in self.rows]

    @cached_property
    def tokens(self) -> Tokens:
        """Prompt and answer of each row."""
        return Tokens.of([row.text for row in self.rows])

    @cached_property
    def _frequencies(self) -> Any:
        import numpy as np

        owners = np.repeat(np.arange(len(self.tokens)), np.diff(self.tokens.starts))
        held = np.unique(owners.astype(np.uint64) * np.uint64(len(self.tokens.vocabulary) or 1) + self.tokens.ids)
        return np.bincount((held % np.uint64(len(self.tokens.vocabulary) or 1)).astype(np.int64), minlength=1)

    def frequency(self, word: str) -> int:
        """How many rows hold ``word``, written as ``tokens.words`` writes it."""
        number = self.tokens.vocabulary.get(word)
        return 0 if number is None else int(self._frequencies[number])

    @cached_property
    def bare_passages(self) -> list[Passage]:
        """Passages that no pair draws on."""
        return bare_among(self.passages, self.rows)

    @cached_property
    def near(self) -> list[tuple[int, int, float]]:
        """(row, row, similarity from 0 to 1) of rows that say nearly the same, the first row before the second."""
        from engine.lib.quality.likeness import near_pairs

        return near_pairs(self)

    def alike_in_meaning(self, likeness: float) -> Iterator[tuple[int, int, float]]:
        """(row, row, likeness) of embedded rows at least that much alike, the first before the second.

        The likeness is the mean of the cosines of prompts and answers, the answers counting twice: one thing is asked in many ways.
        """
        import numpy as np

        least = (3 * likeness - 1) / 2  # of the answers, whatever the prompts
        for begin in range(0, len(self.embedded), BLOCK):
            self.tell(begin, len(self.embedded))
            answers = self.said[begin : begin + BLOCK] @ self.said[begin:].T
            ones, others = np.nonzero(np.triu(answers >= least, 1))
            prompts = np.einsum("ij,ij->i", self.asked[begin + ones], self.asked[begin + others])
            alike = (prompts + 2 * answers[ones, others]) / 3
            for one, other, found in zip(ones[alike >= likeness], others[alike >= likeness], alike[alike >= likeness], strict=True):
                yield self.embedded[begin + one], self.embedded[begin + other], float(found)

    @cached_property
    def clusters(self) -> Any:
        from engine.lib.quality.clusters import clusters_of

        return clusters_of(self)
