"""Alpaca: ``{"instruction", "input", "output"}``, with ``system`` and ``history`` where a conversation has them."""

from dataclasses import replace
from typing import Any

from engine.lib.pair_formats.fields import FieldError, Record, beside, decoded, row_of, text_of, turns_of
from engine.lib.pair_rows import Message, PairRow

KEY, TITLE = "alpaca", "Alpaca"
ABOUT = "Instruction, input and output; system and history where a conversation has them."
BETWEEN = "\n\n"  # what stands between instruction and input in the question
RESERVED = {"instruction", "input", "output", "system", "history", "messages"}


def looks_like(records: list[Record]) -> float:
    """The share of ``records`` that are of this format, 0 to 1."""
    return sum("instruction" in record and "output" in record for record in records) / max(len(records), 1)


def read(record: Record) -> PairRow:
    """``input`` joins the question, and is remembered in ``extra``. Raises ``RowError``."""
    more = text_of(record, "input")
    row = row_of(record, _turns(record, more), RESERVED)
    if more:
        row.extra["input"] = more
    return row


def _turns(record: Record, more: str) -> list[Message]:
    if record.get("messages") is not None:
        return turns_of(record, "messages")
    question = text_of(record, "instruction")
    turns = [*_history(record), {"role": "user", "content": f"{question}{BETWEEN}{more}" if more else question}]
    turns.append({"role": "assistant", "content": text_of(record, "output")})
    system = text_of(record, "system")
    return [{"role": "system", "content": system}, *turns] if system else turns


def _history(record: Record) -> list[Message]:
    value = decoded(record.get("history"))
    if not value:
        return []
    if not isinstance(value, list) or not all(isinstance(both, list) and len(both) == 2 for both in value):
        raise FieldError("history", "“history” is no list of [question, answer]")
    return [_said(role, text) for both in value for role, text in zip(("user", "assistant"), both, strict=True)]


def _said(role: str, text: Any) -> Message:
    if not isinstance(text, str):
        raise FieldError("history", "“history” holds something that is no text")
    return {"role": role, "content": text}


def write(row: PairRow) -> Record:
    """A conversation that Alpaca cannot hold is written whole under ``messages`` as well."""
    turns = row.messages[1:] if row.messages[0]["role"] == "system" else row.messages
    system = row.messages[0]["content"] if len(turns) < len(row.messages) else ""
    question, answer = (turns[-2]["content"] if len(turns) > 1 else ""), turns[-1]["content"]
    record: Record = {"instruction": question, "input": "", "output": answer}
    more = row.extra.get("input")
    if isinstance(more, str) and more and question.endswith(BETWEEN + more):
        record |= {"instruction": question.removesuffix(BETWEEN + more), "input": more}
        row = replace(row, extra={name: value for name, value in row.extra.items() if name != "input"})
    if system:
        record["system"] = system
    earlier = turns[:-2]
    if earlier:
        record["history"] = [[one["content"], two["content"]] for one, two in zip(earlier[::2], earlier[1::2], strict=False)]
    record |= beside(row, RESERVED)
    roles = [turn["role"] for turn in turns]
    if roles != ["user", "assistant"] * (len(roles) // 2) or (row.messages[0]["role"] == "system" and not system) or not question:
        record["messages"] = row.messages
    return record
