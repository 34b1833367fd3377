"""Tables: a column each for question, answer and what stands beside them. A mapping says which column is which."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from engine.lib.pair_formats.alpaca import BETWEEN
from engine.lib.pair_formats.fields import EXTRA, FORK, OWN, READ, REJECTED, FieldError, Record, beside, decoded, row_of, text_of, turns_of
from engine.lib.pair_rows import Message, PairRow, RowError

KEY, TITLE = "columns", "Columns"
ABOUT = "A table with a column for the question and one for the answer; you say which is which."
KEEP, IGNORE = "extra", "ignore"
# Field → what people call it
FIELDS = {
    "question": "Question",
    "answer": "Answer",
    "system": "System prompt",
    "rejected": "Rejected answer",
    "tags": "Tags",
    "topic": "Topic",
    "language": "Language (en, de …)",
    "difficulty": "Difficulty",
    "shape": "Kind of question",
    "history": "Earlier turns",
    "messages": "Whole conversation",
    "sources": "Sources",
    "parent": "Made from pair",
    KEEP: "Keep beside the pair",
    IGNORE: "Leave out",
}
WORDS = {"question", "answer", "system", "rejected", "history", "messages"}
SYNONYMS = {
    "question": "question prompt instruction query user human frage pregunta request ask user_input input",
    "answer": "answer completion output response reply assistant gpt antwort respuesta chosen target assistant_output",
    "system": "system system_prompt",
    "rejected": "rejected rejected_answer rejected_response worse",
    "tags": "tags tag labels label",
    "topic": "topic category subject thema",
    "language": "language lang locale",
    "difficulty": "difficulty level",
}
# How an export orders its columns; those of ``extra`` come after
ORDER = ["question", "answer", "system", "history", "messages", "rejected", REJECTED, FORK, *READ]


def guess(columns: Iterable[str]) -> dict[str, str]:
    """Column → field, by the columns' names; those nobody knows are kept beside the pair."""
    mapping: dict[str, str] = {}
    taken: set[str] = set()
    plain = {column: _plain(column) for column in columns}
    for field in FIELDS:
        for name in SYNONYMS.get(field, field).split():
            found = next((column for column, word in plain.items() if word == name and column not in mapping), None)
            if found is not None and field not in taken and field not in (KEEP, IGNORE):
                mapping[found] = field
                taken.add(field)
    special = {REJECTED, FORK}  # an export's own, which the reader knows by their names
    return {column: mapping.get(column, IGNORE if column.startswith(OWN) else KEEP) for column in plain if column not in special}


@lru_cache(maxsize=1000)
def _plain(column: str) -> str:
    return re.sub(r"\W+", "_", column.strip().lower()).strip("_")


def looks_like(records: list[Record]) -> float:
    """0.5 where a question and an answer can be told by name, 0.1 otherwise: any table is one of columns."""
    fields = set(guess({name: None for record in records for name in record}).values())
    return 0.5 if {"question", "answer"} <= fields or "messages" in fields else 0.1


class Reader:
    """Reads records by a mapping, column → field; without one, by the columns' names."""

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self.mapping = dict(mapping)

    def __call__(self, record: Record) -> PairRow:
        """Raises ``RowError``."""
        mapping = self.mapping or guess(record)
        by_field: dict[str, list[str]] = {}
        for column, field in mapping.items():
            by_field.setdefault(field, []).append(column)
        turns = self._turns(record, by_field)
        rejected = self._text(record, by_field.get("rejected", []))
        read = {column for field in WORDS | {IGNORE} for column in by_field.get(field, [])}
        # the rest goes by the names that it has here, unless a field cannot hold the value: then by its own
        rest: Record = {}
        for column, value in record.items():
            field = mapping.get(column, KEEP)
            if column in read or value is None:
                continue
            if field in READ:
                rest[field if field not in rest and READ[field](value) is not None else column] = value
            elif column in (REJECTED, FORK, EXTRA) and column not in self.mapping:
                rest[column] = value
            elif column in READ and field == KEEP:  # somebody said so
                rest[EXTRA] = {**(rest.get(EXTRA) or {}), column: value}
            else:
                rest[column] = value
        return row_of(rest, turns, (), [{"role": "assistant", "content": rejected}] if rejected else None)

    def _turns(self, record: Record, columns: dict[str, list[str]]) -> list[Message]:
        for column in columns.get("messages", []):
            if record.get(column) is not None:
                return turns_of(record, column)
        question, answer = (self._text(record, columns.get(field, [])) for field in ("question", "answer"))
        for field, text in (("question", question), ("answer", answer)):
            if not text.strip():
                where = columns.get(field, [])
                raise FieldError(where[0] if where else "", f"the {field} is empty" if where else f"no column is the {field}")
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for column in columns.get("history", []):
            turns = _history(record, column) + turns
        system = self._text(record, columns.get("system", []))
        return [{"role": "system", "content": system}, *turns] if system else turns

    @staticmethod
    def _text(record: Record, columns: list[str]) -> str:
        return BETWEEN.join(text for column in columns if (text := text_of(record, column)))


def _history(record: Record, column: str) -> list[Message]:
    value = decoded(record.get(column))
    if not value:
        return []
    if isinstance(value, list) and all(isinstance(both, list) and len(both) == 2 for both in value):
        return [{"role": role, "content": str(text)} for both in value for role, text in zip(("user", "assistant"), both, strict=True)]
    return turns_of(record, column)


read = Reader({})


def write(row: PairRow) -> Record:
    """A record of texts alone, which ``read`` reads back as ``row``. ``extra`` has a column for each text in it and JSON for the rest."""
    fields = beside(row, _RESERVED, preference=False)
    nested = fields.pop(EXTRA, {})
    cells: Record = {}
    for name, value in fields.items():
        if name == "tags":
            text = "; ".join(value)
            cells[name] = text if READ["tags"](text) == value else json.dumps(value, ensure_ascii=False)
        elif name in READ:
            cells[name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        elif isinstance(value, str) and value and name and name == name.strip() and _plain(name) not in _RESERVED:
            cells[name] = value
        else:
            nested[name] = value
    if nested:
        cells[EXTRA] = json.dumps(nested, ensure_ascii=False)
    return {**_words(row), **cells, **_rejected(row)}


_RESERVED = {name for names in SYNONYMS.values() for name in names.split()} | FIELDS.keys()


def _words(row: PairRow) -> Record:
    turns = row.messages
    words: Record = {"question": turns[-2]["content"], "answer": turns[-1]["content"]} if len(turns) > 1 else {}
    earlier = turns[:-2]
    if earlier and earlier[0]["role"] == "system":
        words["system"] = earlier[0]["content"]
        earlier = earlier[1:]
    whole = len(turns) == 2 or (not earlier and words.get("system"))
    if whole and [turn["role"] for turn in turns[-2:]] == ["user", "assistant"] and words["question"].strip():
        return words  # as nearly all are
    if earlier:
        words["history"] = json.dumps(earlier, ensure_ascii=False)
    try:
        if read(words).messages == turns:
            return words
    except RowError:
        pass
    return {"messages": json.dumps(turns, ensure_ascii=False)}


def _rejected(row: PairRow) -> dict[str, Any]:
    if not row.rejected:
        return {}
    one = row.rejected[0]
    if row.fork == len(row.messages) - 1 and len(row.rejected) == 1 and one["role"] == "assistant" and one["content"]:
        return {"rejected": one["content"]}
    return {REJECTED: json.dumps(row.rejected, ensure_ascii=False), FORK: str(row.fork)}
