"""python -m engine peek_batch OPTIONS: the first batch of a training as the model sees it, as JSON. Loads a tokenizer, no model.

OPTIONS is JSON: ``{"model", "dataset"}`` (folders), ``"max_length"``, ``"batch_size"``, ``"seed"``, ``"preferences"``. Out comes
``{"template", "rows": [{"where", "label", "pieces": [{"text", "trained"}], "tokens", "trained", "cut", "more"}], "of", "usable", "counts",
"tokens", "trained"}``, or ``{"problem": {"message", "where", "mend"}}`` where no row can be shown as the model would see it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from engine.exits import InputError

ROWS = 8  # shown of a batch, however large
TOKENS = 700  # shown of a row
LOOKED_AT = 4000  # rows that are counted: some seconds

# What a template writes around turns → what people call it
TEMPLATES = {
    "<|im_start|>": "ChatML",
    "<|start_header_id|>": "Llama 3",
    "<start_of_turn>": "Gemma",
    "[INST]": "Mistral",
    "<|assistant|>": "Phi and Zephyr",
    "<|start|>": "Harmony",
    "### ": "plain headings",
}


def peek(options: dict[str, Any]) -> dict[str, Any]:
    """Raises ``InputError`` for a model, a template or a dataset that cannot be trained with."""
    from engine.lib import batches, chat_rows, models

    models.prepare_libraries()
    tokenizer = models.load_tokenizer(Path(options["model"]))
    every = chat_rows.read_split(Path(options["dataset"]), "train")
    worse = rejected_turns(Path(options["dataset"])) if options.get("preferences") else {}
    if options.get("preferences"):
        every = [row for row in every if row.line in worse]
    length = int(options["max_length"])
    looked_at = every[:LOOKED_AT]
    rows, rejects = chat_rows.encode(looked_at, tokenizer, length)
    shown: list[dict[str, Any]] = []
    if rows:
        first = batches.shuffled([len(row.ids) for row in rows], int(options["batch_size"]), int(options["seed"]), 0)[0]
        for row in (rows[at] for at in first[:ROWS]):
            shown += both_answers(row.row, *worse[row.row.line], length, tokenizer) if worse else [one_answer(row, rejects, tokenizer)]
    return {
        "template": template_name(tokenizer.chat_template),
        "rows": shown,
        "of": len(every),
        "looked_at": len(looked_at),
        "usable": len(rows),
        "counts": dict(rejects.counts()),
        "tokens": sum(len(row.ids) for row in rows),
        "trained": sum(row.answer_tokens for row in rows),
    }


def one_answer(row: Any, rejects: Any, tokenizer: Any) -> dict[str, Any]:
    """A row of pairs as it is shown."""
    return _row(row.row.where, "", row.ids, row.answer, row.row in rejects.rows.get("answer_cut", []), tokenizer)


def both_answers(row: Any, fork: int, turns: list[dict[str, str]], length: int, tokenizer: Any) -> list[dict[str, Any]]:
    """A preference row as it is shown: to the end with the better turns, and with the worse ones. What both share is not learnt."""
    from engine.lib import chat_rows

    speak = row.messages[fork]["role"] == "assistant"
    shared = len(tokenizer.apply_chat_template(row.messages[:fork], add_generation_prompt=speak, return_dict=False))
    found = []
    for label, messages in (("better", row.messages), ("worse", row.messages[:fork] + turns)):
        one = chat_rows.encode_row(chat_rows.Row(row.id, messages, row.split, row.line), tokenizer)
        learnt = [said and at >= shared for at, said in enumerate(one.answer)]
        found.append(_row(row.where, label, one.ids[:length], learnt[:length], len(one.ids) > length, tokenizer))
    return found


def _row(where: str, label: str, ids: list[int], trained: list[bool], cut: bool, tokenizer: Any) -> dict[str, Any]:
    return {
        "where": where,
        "label": label,
        "pieces": pieces(ids[:TOKENS], trained[:TOKENS], tokenizer),
        "tokens": len(ids),
        "trained": sum(trained),
        "cut": cut,
        "more": max(0, len(ids) - TOKENS),
    }


def pieces(ids: list[int], trained: list[bool], tokenizer: Any) -> list[dict[str, Any]]:
    """Neighbouring tokens that are alike, as one text; special tokens are written out."""
    found: list[tuple[bool, list[int]]] = []
    for token, learnt in zip(ids, trained, strict=True):
        if not found or found[-1][0] != learnt:
            found.append((learnt, []))
        found[-1][1].append(token)
    return [{"text": tokenizer.decode(run, skip_special_tokens=False), "trained": learnt} for learnt, run in found]


def template_name(template: Any) -> str:
    """What people call a chat template, by the marks it writes."""
    text = template if isinstance(template, str) else json.dumps(template)
    return next((name for mark, name in TEMPLATES.items() if mark in text), "the model's own")


def rejected_turns(dataset: Path) -> dict[int, tuple[int, list[dict[str, str]]]]:
    """Line → (where the answers part, the worse turns), of the training rows that have any."""
    found = {}
    with open(dataset / "train.jsonl", encoding="utf-8") as file:
        for line, text in enumerate(file, start=1):
            record = json.loads(text) if text.strip() else {}
            if record.get("rejected"):
                fork = record.get("fork")
                turns = [{"role": turn["role"], "content": turn["content"]} for turn in record["rejected"]]
                found[line] = (len(record["messages"]) - 1 if fork is None else int(fork), turns)
    return found


def main(text: str) -> int:
    try:
        answer = peek(json.loads(text))
    except InputError as error:
        answer = {"problem": {"message": error.message, "where": error.where, "mend": error.mend}}
    json.dump(answer, sys.stdout)
    return 0
