"""ShareGPT: ``{"conversations": [{"from": "human", "value"}, {"from": "gpt", "value"}, …]}``."""

from engine.lib.pair_formats.fields import Record, beside, decoded, reply_of, row_of, text_of, turns_of
from engine.lib.pair_rows import PairRow

KEY, TITLE = "sharegpt", "ShareGPT"
ABOUT = "Conversations with from (human, gpt, system) and value, as Axolotl and LLaMA-Factory use it."
NAMES = {"system": "system", "user": "human", "assistant": "gpt"}


def _name(record: Record) -> str:
    return "conversations" if record.get("conversations") is not None else "conversation"


def looks_like(records: list[Record]) -> float:
    """The share of ``records`` that are of this format, 0 to 1."""
    return sum(isinstance(decoded(record.get(_name(record))), list) for record in records) / max(len(records), 1)


def read(record: Record) -> PairRow:
    """Also with ``system`` beside the turns, and ``chosen`` and ``rejected`` answers after them. Raises ``RowError``."""
    name = _name(record)
    turns, used = turns_of(record, name), {name}
    if turns[0]["role"] != "system" and (system := text_of(record, "system")):
        turns, used = [{"role": "system", "content": system}, *turns], used | {"system"}
    rejected = None
    if record.get("chosen") is not None and record.get("rejected") is not None and turns[-1]["role"] == "user":
        turns, rejected = turns + reply_of(record, "chosen"), reply_of(record, "rejected")
        used |= {"chosen", "rejected"}
    return row_of(record, turns, used, rejected)


def write(row: PairRow) -> Record:
    turns = [{"from": NAMES[turn["role"]], "value": turn["content"]} for turn in row.messages]
    return {"conversations": turns, **beside(row, {"conversations", "conversation", "system", "chosen", "rejected"})}
