"""Preference pairs: ``{"prompt", "chosen", "rejected"}`` in TRL's conversational form; texts and whole conversations are read as well."""

from engine.lib.pair_formats.fields import Record, beside, decoded, reply_of, row_of
from engine.lib.pair_formats.prompt_completion import prompt_of
from engine.lib.pair_rows import Message, PairRow, RowError

KEY, TITLE = "preference", "Preference pairs"
ABOUT = "A prompt with a chosen and a rejected answer, as TRL's DPO uses it. Only pairs with a rejected answer."
NAMES = {"prompt", "chosen", "rejected"}


def looks_like(records: list[Record]) -> float:
    """The share of ``records`` that are of this format, 0 to 1."""
    told = [record for record in records if record.get("chosen") is not None and record.get("rejected") is not None]
    return sum(record.get("prompt") is not None or isinstance(decoded(record["chosen"]), list) for record in told) / max(len(records), 1)


def read(record: Record) -> PairRow:
    """Without a prompt, or where both answers repeat it, it is what the two conversations have in common. Raises ``RowError``."""
    chosen, rejected = reply_of(record, "chosen"), reply_of(record, "rejected")
    prompt = prompt_of(record) if record.get("prompt") is not None else []
    if any(turn["role"] == "user" for turn in chosen[:1] + chosen[1:2]) and any(turn["role"] == "user" for turn in rejected[:2]):
        # both are whole conversations
        if chosen[: len(prompt)] == prompt == rejected[: len(prompt)]:
            prompt = []
        if not prompt or chosen[0]["role"] == "system":
            common = _common(chosen, rejected)
            prompt, chosen, rejected = chosen[:common], chosen[common:], rejected[common:]
    if not chosen or not rejected or chosen == rejected:
        raise RowError("the chosen and the rejected answer are the same")
    row = row_of(record, prompt + chosen, NAMES)
    row.rejected, row.fork = rejected, len(prompt)
    row.check()
    row.check_lengths()
    return row


def _common(one: list[Message], two: list[Message]) -> int:
    """How many turns the two conversations share, the last of which is the user's."""
    shared = next((place for place, both in enumerate(zip(one, two, strict=False)) if both[0] != both[1]), min(len(one), len(two)))
    while shared and one[shared - 1]["role"] != "user":
        shared -= 1
    return shared


def write(row: PairRow) -> Record:
    """Raises ``RowError`` for a row without rejected turns."""
    if not row.rejected or row.fork is None:
        raise RowError("there is no rejected answer")
    both = {"chosen": row.messages[row.fork :], "rejected": row.rejected}
    return {"prompt": row.messages[: row.fork], **both, **beside(row, NAMES, preference=False)}
