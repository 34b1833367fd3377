"""Ticket and chat logs: messages in a table or in JSON, brought together by their conversation."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.exits import InputError
from engine.lib.pair_files import open_table
from engine.lib.source_texts.text import SourceError, SourceText, markdown, one_line

COLUMNS = {
    "conversation": "conversation_id conversation ticket_id ticket thread_id thread thread_ts case_id case issue_key issue channel id key",
    "title": "subject title summary topic betreff",
    "speaker": "author sender from speaker user username name role agent von",
    "time": "created_at created date timestamp time ts sent_at datum",
    "text": "text message body content comment description nachricht",
}
TURNS = ("messages", "comments", "turns", "conversation", "replies")
MESSAGES = 200_000


def conversations(path: Path) -> Iterator[SourceText]:
    """A text for each conversation, in the order in which they begin. Raises ``SourceError`` where no text or conversation can be told."""
    found: dict[str, tuple[str, list[str]]] = {}
    count = 0
    for record in _records(path):
        for key, title, words in _said(record):
            count += 1
            if count > MESSAGES:
                raise SourceError(f"This log has more than {MESSAGES:,} messages.", "Export it in parts, for example by year.")
            known = found.setdefault(key, (title, []))
            known[1].append(words)
            if title and not known[0]:
                found[key] = (title, known[1])
    if not found:
        mend = "It needs a column for the text of each message (text, message, body …) and one for its conversation (ticket, thread …)."
        raise SourceError("No messages were found in this file.", mend)
    for key, (title, lines) in found.items():
        yield markdown(f"{key}: {title}" if title else key, "\n\n".join(lines), name=f"{path.stem} {key}")


def _records(path: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from (line.record for line in open_table(path).lines if line.record is not None)
    except InputError as error:
        raise SourceError(error.message, error.mend) from error


def _said(record: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(conversation, its title, what was said) of each message in a record: one message, or a conversation with a list of them."""
    turns = next((record[name] for name in TURNS if isinstance(record.get(name), list)), None)
    key, title = _text(record, "conversation"), _text(record, "title")
    for turn in turns if turns is not None else [record]:
        if isinstance(turn, dict) and (text := _text(turn, "text")):
            speaker, when = one_line(_text(turn, "speaker")), one_line(_text(turn, "time"))
            head = f"**{speaker or 'Message'}**" + (f" ({when})" if when else "")
            yield one_line(key or title or "conversation"), title, f"{head}: {text.strip()}"


def _text(record: dict[str, Any], field: str) -> str:
    plain = {re.sub(r"\W+", "_", str(name).strip().lower()).strip("_"): value for name, value in record.items()}
    value = next((plain[name] for name in COLUMNS[field].split() if plain.get(name) not in (None, "")), "")
    if isinstance(value, dict):
        value = next((value[name] for name in ("name", "display_name", "displayName", "id") if name in value), "")
    return str(value) if isinstance(value, str | int | float) else ""
