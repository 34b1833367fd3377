"""Prompt and completion, each a list of turns as TRL's conversational form has them; plain texts are read as well."""

from engine.lib.pair_formats.fields import Record, beside, decoded, reply_of, row_of, text_of, turns_of
from engine.lib.pair_rows import Message, PairRow

KEY, TITLE = "prompt_completion", "Prompt and completion"
ABOUT = "The conversation up to the answer, and the answer, as TRL uses it."
NAMES = {"prompt", "completion"}


def looks_like(records: list[Record]) -> float:
    """The share of ``records`` that are of this format, 0 to 1."""
    return sum(record.get("prompt") is not None and record.get("completion") is not None for record in records) / max(len(records), 1)


def prompt_of(record: Record) -> list[Message]:
    """The turns of ``prompt``; a text is what the user says. Raises ``FieldError``."""
    if isinstance(decoded(record.get("prompt")), list):
        return turns_of(record, "prompt")
    return [{"role": "user", "content": text_of(record, "prompt")}]


def read(record: Record) -> PairRow:
    """Raises ``RowError``."""
    return row_of(record, prompt_of(record) + reply_of(record, "completion"), NAMES)


def write(row: PairRow) -> Record:
    return {"prompt": row.messages[:-1], "completion": row.messages[-1:], **beside(row, NAMES)}
