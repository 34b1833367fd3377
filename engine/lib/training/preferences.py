"""Preference pairs of a dataset: for each question an answer that is wanted and one that is not, in the form TRL's trainers read."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from engine.context import Context
from engine.exits import InputError
from engine.lib import chat_rows
from engine.lib.chat_rows import ROLES, Encoded, Message, Rejects, Row
from engine.lib.training.data import check_counts
from engine.lib.training.settings import LoopParams

REASONS = chat_rows.REASONS | {
    "same_answers": ("In {n} the worse answer is the same as the good one; they are left out.", "Correct one of the answers."),
    "no_question": ("In {n} nothing stands before the two answers; they are left out.", "Give each pair a question."),
    "no_room": (
        "In {n} the answers do not begin to differ within the longest text allowed; they are left out.",
        "Shorten the questions or allow longer texts.",
    ),
}


@dataclass(frozen=True)
class Preference:
    """``row.messages[fork:]`` are the wanted turns, ``rejected`` the worse ones in their place; a plain pair has none."""

    row: Row
    fork: int
    rejected: list[Message]

    @property
    def prompt(self) -> list[Message]:
        return self.row.messages[: self.fork]

    @property
    def chosen(self) -> list[Message]:
        return self.row.messages[self.fork :]


@dataclass(frozen=True)
class Read:
    """``train`` and ``validation`` in a trainer's form; ``longest`` of the training conversations as tokens."""

    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    longest: Encoded


def read_pairs(ctx: Context, params: LoopParams, tokenizer: Any) -> Read:
    """``{"prompt", "chosen", "rejected"}`` of every pair with a worse answer, after every check that can be made before training.

    Names the rows that it leaves out. Raises ``InputError`` for a dataset without preference pairs, or with too few.
    """
    found = _usable(ctx, params, tokenizer, plain=False)
    train, validation = ([_paired(pair) for pair in found[split][0]] for split in ("train", "validation"))
    check_counts(ctx, train, validation)
    return Read(train, validation[: params.eval_rows], found["train"][1])


def read_judged(ctx: Context, params: LoopParams, tokenizer: Any, *, plain: bool) -> Read:
    """``{"prompt", "completion", "label"}`` of every answer, good (true) or worse, mixed by the seed; with ``plain`` also of pairs without
    a worse answer, whose answers are good. Else as `read_pairs`.
    """
    found = _usable(ctx, params, tokenizer, plain=plain)
    train, validation = ([row for pair in found[split][0] for row in _judged(pair)] for split in ("train", "validation"))
    check_counts(ctx, train, validation)
    dice = random.Random(f"{ctx.seed}/judged")
    dice.shuffle(train)
    dice.shuffle(validation)
    return Read(train, validation[: params.eval_rows], found["train"][1])


def _paired(pair: Preference) -> dict[str, Any]:
    return {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}


def as_tokens(row: dict[str, Any], tokenizer: Any, max_length: int) -> dict[str, Any]:
    """A row of `read_pairs` as its two conversations in tokens, ``chosen_ids`` and ``rejected_ids``, cut to ``max_length``."""
    return {
        f"{side}_ids": list(tokenizer.apply_chat_template(row["prompt"] + row[side], return_dict=False))[:max_length]
        for side in ("chosen", "rejected")
    }


def _judged(pair: Preference) -> list[dict[str, Any]]:
    good = {"prompt": pair.prompt, "completion": pair.chosen, "label": True}
    return [good, {"prompt": pair.prompt, "completion": pair.rejected, "label": False}] if pair.rejected else [good]


def _usable(ctx: Context, params: LoopParams, tokenizer: Any, *, plain: bool) -> dict[str, tuple[list[Preference], Encoded]]:
    """split → the pairs that can be trained on, and the longest of their conversations."""
    found: dict[str, tuple[list[Preference], Encoded]] = {}
    for split in ("train", "validation"):
        everything = read_split(ctx.inputs["dataset"], split)
        pairs = [pair for pair in everything if pair.rejected or plain]
        if split == "train":
            _require_preferences(ctx, everything)
        else:
            pairs = pairs[: params.eval_rows]
        usable, longest, rejects = usable_of(
            pairs, tokenizer, params.max_length, on_row=partial(ctx.progress, total=len(pairs), unit="pairs")
        )
        chat_rows.warn_rejects(ctx.warn, rejects, len(pairs), params.max_length, REASONS)
        found[split] = usable, longest
    return found


def _require_preferences(ctx: Context, pairs: Sequence[Preference]) -> None:
    worse = sum(bool(pair.rejected) for pair in pairs)
    if pairs and not worse:
        raise InputError(
            "no_preferences",
            f"None of the {len(pairs)} training pairs has a worse answer beside the good one, so there is no preference to learn.",
            where="train.jsonl",
            mend="Correct answers in chat, write worse answers to pairs, or import preference pairs; or fine-tune on the good answers.",
        )
    ctx.log(f"{worse} of {len(pairs)} training pairs have a worse answer beside the good one")


def read_split(dataset: Path, split: str) -> list[Preference]:
    """The pairs of ``split``. Raises ``InputError`` naming the first row that cannot be read."""
    rows = {row.line: row for row in chat_rows.read_split(dataset, split)}
    if not rows:
        return []
    with open(dataset / f"{split}.jsonl", encoding="utf-8") as file:
        return [_parse(rows[line], json.loads(text)) for line, text in enumerate(file, start=1) if line in rows]


def _parse(row: Row, record: dict[str, Any]) -> Preference:
    worse = record.get("rejected") or []
    try:
        rejected = [{"role": turn["role"], "content": turn["content"]} for turn in worse]
        fork = int(record["fork"]) if worse else len(row.messages) - 1
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(row, "Its worse answer is no conversation, or it is not said where it begins.") from error
    if not 0 <= fork < max(len(row.messages), 1):
        raise _unreadable(row, f"The worse answer begins at turn {fork + 1}; the conversation has {len(row.messages)}.")
    if any(turn["role"] not in ROLES or not isinstance(turn["content"], str) for turn in rejected):
        raise _unreadable(row, "A turn of the worse answer has a role that is not known, or is no text.")
    return Preference(row, fork, rejected)


def _unreadable(row: Row, message: str) -> InputError:
    return InputError("row_unreadable", message, where=row.where, mend="Export the dataset again, or correct this row.")


def usable_of(
    pairs: Sequence[Preference], tokenizer: Any, max_length: int, *, on_row: Any = None
) -> tuple[list[Preference], Encoded, Rejects]:
    """The pairs that teach something within ``max_length`` tokens, the longest of their conversations, and those left out or cut.

    Raises ``InputError`` when the chat template refuses a conversation or changes its earlier turns.
    """
    found: list[Preference] = []
    longest = Encoded(Row("", [], "", 0), [], [])
    rejects = Rejects()
    for number, pair in enumerate(pairs):
        if on_row is not None:
            on_row(number)
        if reason := _defect(pair):
            rejects.add(reason, pair.row)
            continue
        both = [
            chat_rows.encode_row(replace(pair.row, messages=pair.prompt + turns), tokenizer)
            for turns in (pair.chosen, pair.rejected)
            if turns
        ]
        begins = _first_difference(both[0].ids, both[1].ids) if len(both) > 1 else _last_answer(both[0].answer)
        if begins >= max_length:
            rejects.add("no_room", pair.row)
            continue
        if any(any(one.answer[max_length:]) for one in both):
            rejects.add("answer_cut", pair.row)
        found.append(pair)
        longest = max((longest, *both), key=lambda one: len(one.ids))
    return found, longest, rejects


def _defect(pair: Preference) -> str:
    """Why ``pair`` can teach nothing, as a kind of `REASONS`; empty when it can."""
    sides = [pair.chosen, pair.rejected] if pair.rejected else [pair.chosen]
    if any(not side or side[-1]["role"] != "assistant" for side in sides):
        return "no_answer"
    if any(turn["role"] == "assistant" and not turn["content"].strip() for side in sides for turn in side):
        return "empty_answer"
    if not pair.prompt:
        return "no_question"
    return "same_answers" if pair.chosen == pair.rejected else ""


def _first_difference(one: Sequence[int], other: Sequence[int]) -> int:
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _last_answer(answer: Sequence[bool]) -> int:
    """Where the last assistant turn begins, as a place among the tokens."""
    end = len(answer) - 1 - list(reversed(answer)).index(True)
    return next((place + 1 for place in range(end, -1, -1) if not answer[place]), 0)
