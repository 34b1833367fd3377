"""What augmenting a pair needs: the pair with its passage, what its templates give, and whether other words still ask the same."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.lib.jsonl import read_lines
from engine.lib.pair_rows import PAIRS_FILE, PairRow, RowError
from engine.lib.slots import combinations, fill, slots_in

LONGEST_QUESTION = 1000  # characters
LANGUAGES = {
    "de": "German", "en": "English", "fr": "French", "es": "Spanish", "it": "Italian", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese",
    "sv": "Swedish", "da": "Danish", "cs": "Czech", "ru": "Russian", "uk": "Ukrainian", "tr": "Turkish", "ja": "Japanese", "zh": "Chinese",
}  # fmt: skip
_FIXED = re.compile(r"`[^`]+`|\d+(?:[.,]\d+)*")  # code and numbers: other words for the same keep them


@dataclass(frozen=True)
class SourcePair:
    """A pair to make further ones from. ``context`` is the passage around its evidence, empty where it has none."""

    id: str
    row: PairRow
    context: str

    @property
    def language_name(self) -> str:
        return LANGUAGES.get(self.row.language, "English" if not self.row.language else self.row.language)

    def with_words(self, question: str, answer: str) -> PairRow:
        """A new pair with this one as its parent, and everything that stays true of it."""
        turns = [message for message in self.row.messages if message["role"] == "system"]
        turns += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return replace(self.row, messages=turns, parent=self.id, rejected=[], fork=None, extra={}, line=None)

    def source_at(self, start: int, end: int) -> dict[str, Any] | None:
        """The span of the document that ``context[start:end]`` is; None where that cannot be told."""
        if len(self.row.sources) != 1:
            return None
        source = self.row.sources[0]
        if self.context.count(source["evidence"]) != 1:
            return None
        offset = source["start"] - self.context.index(source["evidence"])
        return {**source, "start": offset + start, "end": offset + end, "evidence": self.context[start:end]}


def lines_of(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of a ``pair-rows`` artifact. Raises ``InputError``."""
    return read_lines(folder / PAIRS_FILE, code="pairs", mend="Choose the pairs again.")


def source_pairs(folder: Path) -> list[SourcePair]:
    """The pairs of a ``pair-rows`` artifact that have one question and one answer; conversations are left as they are."""
    found = []
    for line in lines_of(folder):
        try:
            row = PairRow.from_dict(line)
        except (RowError, KeyError, TypeError):
            continue
        if [message["role"] for message in row.messages if message["role"] != "system"] == ["user", "assistant"]:
            found.append(SourcePair(str(line["id"]), row, str(line.get("context") or "")))
    return found


def candidate_of(candidate: Mapping[str, Any]) -> tuple[str, str]:
    """Question and answer of what a model wrote, empty where they are no text."""
    question, answer = (candidate.get(name) for name in ("question", "answer"))
    return (question.strip() if isinstance(question, str) else "", answer.strip() if isinstance(answer, str) else "")


def drifted(question: str, other: str) -> str:
    """Why ``other`` cannot be the same question in other words; empty where it can."""
    if not other.strip():
        return "incomplete"
    if len(other) > LONGEST_QUESTION or len(other) > 6 * len(question) + 80:
        return "length"
    if sorted(_FIXED.findall(question)) != sorted(_FIXED.findall(other)):
        return "another number or name"
    return ""


def filled(pair: SourcePair, templates: list[str], values: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """(question, answer) for each template and each choice of values; of the pair's own words where those hold a slot."""
    row = pair.row
    known = {
        "question": row.question, "answer": row.answer, "topic": row.topic, "difficulty": row.difficulty, "language": row.language,
    }  # fmt: skip
    for template in templates or ["{question}"]:
        used = slots_in(template)
        if any(name in known and not known[name] for name in used):
            continue  # this pair has no topic to name, say
        own = [name for name in dict.fromkeys([*used, *slots_in(row.question), *slots_in(row.answer)]) if name in values]
        if not templates and not own:
            continue
        for chosen in combinations(own, values):
            question = fill(fill(template, known), chosen)
            yield question, fill(row.answer, chosen)
