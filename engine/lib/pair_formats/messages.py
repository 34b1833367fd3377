"""Conversations as OpenAI, TRL and most trainers write them: ``{"messages": [{"role", "content"}, …]}``."""

from typing import Any

from engine.lib.pair_formats.fields import Record, beside, decoded, row_of, turns_of
from engine.lib.pair_rows import PairRow

KEY, TITLE = "messages", "Messages"
ABOUT = "A list of turns with role and content, as OpenAI and TRL use it."
NAME = "messages"
TURN_FIELDS = "turn_fields"  # what the turns hold beyond role and content, kept among ``extra``


def looks_like(records: list[Record]) -> float:
    """The share of ``records`` that are of this format, 0 to 1."""
    return sum(isinstance(decoded(record.get(NAME)), list) for record in records) / max(len(records), 1)


def read(record: Record) -> PairRow:
    """Raises ``RowError``."""
    row = row_of(record, turns_of(record, NAME), {NAME})
    beyond = [_beyond(turn) for turn in decoded(record[NAME])]
    if any(beyond):
        row.extra[TURN_FIELDS] = beyond
    return row


def write(row: PairRow) -> Record:
    record = beside(row, {NAME, TURN_FIELDS})
    turns: list[Record] = [dict(turn) for turn in row.messages]
    nested = record.get("extra", {})
    beyond = nested.get(TURN_FIELDS)
    if isinstance(beyond, list) and len(beyond) == len(turns) and all(isinstance(one, dict) for one in beyond):
        turns = [{**turn, **more} for turn, more in zip(turns, beyond, strict=True)]
        nested.pop(TURN_FIELDS)
        if not nested:
            record.pop("extra")
    return {NAME: turns, **record}


def _beyond(turn: dict[str, Any]) -> Record:
    return {name: value for name, value in turn.items() if name not in ("role", "content", "from", "value") and value is not None}
