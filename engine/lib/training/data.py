"""What is trained on and looked at: the dataset's pairs as tokens, checked, and texts of general knowledge."""

from functools import partial
from typing import Any

from engine.context import Context
from engine.exits import InputError
from engine.lib.training.settings import LoopParams

FEWEST_PAIRS = 8
FEWEST_GENERAL = 8  # rows of a dataset's own general data that say more than questions from elsewhere
GENERAL_LENGTH = 256  # tokens of a general text: what comes after says no more about forgetting, and costs as much


def read_pairs(ctx: Context, params: LoopParams, tokenizer: Any) -> tuple[list[Any], list[Any]]:
    """The training and validation pairs as tokens, after every check that can be made before training. Raises ``InputError``."""
    from engine.lib import chat_rows

    def count(total: int, done: int) -> None:
        ctx.progress(done, total, "pairs")

    found = {}
    for split in ("train", "validation"):
        rows = chat_rows.read_split(ctx.inputs["dataset"], split)
        if split == "validation":  # general data there is looked at apart: see read_general
            rows = [row for row in rows if not row.rehearsal][: params.eval_rows]
        found[split], rejects = chat_rows.encode(rows, tokenizer, params.max_length, on_row=partial(count, len(rows)))
        chat_rows.warn_rejects(ctx.warn, rejects, len(rows), params.max_length)
        if split == "train" and rows and not found["train"]:
            reasons = "; ".join(f"{kind}: {count}" for kind, count in rejects.counts().items())
            raise InputError(
                "no_usable_pairs",
                f"None of the {len(rows)} training pairs can be used ({reasons}).",
                where="train.jsonl",
                mend="See the warnings above: write the empty answers, shorten the questions, or allow longer texts.",
            )
    train, validation = found["train"], found["validation"]
    check_counts(ctx, train, validation)
    answer_tokens, all_tokens = sum(row.answer_tokens for row in train), sum(len(row.ids) for row in train)
    ctx.log(f"{len(train)} pairs, {all_tokens} tokens, {answer_tokens} of them in answers; {len(validation)} validation pairs")
    return train, validation


def check_counts(ctx: Context, train: list[Any], validation: list[Any]) -> None:
    """Raise ``InputError`` for too few pairs, and warn when there are none to validate on."""
    if len(train) < FEWEST_PAIRS:
        raise InputError(
            "too_few_pairs",
            f"Training needs at least {FEWEST_PAIRS} pairs; this dataset has {len(train)} that can be used.",
            where="train.jsonl",
            mend="Generate or write more pairs. A few hundred good ones make a difference.",
        )
    if not validation:
        ctx.warn(
            "no_validation",
            "There are no validation pairs, so nothing shows whether the model only learns by heart.",
            where="validation.jsonl",
            mend="Cut a dataset version with a validation split.",
        )


def read_general(ctx: Context, params: LoopParams, tokenizer: Any) -> list[Any]:
    """Texts of general knowledge as tokens, to be looked at while training: ``params.general_rows`` of `general_rows`."""
    rows, what = general_rows(ctx, "validation", params.general_rows)
    if rows:
        ctx.log(f"Forgetting is looked at on {len(rows)} {what}")
    return encode_general(rows, tokenizer)


def general_rows(ctx: Context, split: str, count: int, skip: int = 0) -> tuple[list[Any], str]:
    """At most ``count`` rows of general data, and what they are in words.

    Those of the dataset's ``split`` that are marked as rehearsal, where there are ``FEWEST_GENERAL``; else MMLU questions with their
    reasoning, without the first ``skip``: the same in every training, so that runs can be compared.
    """
    from engine.lib import chat_rows, mmlu

    if "dataset" in ctx.inputs:
        rows = [row for row in chat_rows.read_split(ctx.inputs["dataset"], split) if row.rehearsal]
        if len(rows) >= FEWEST_GENERAL:
            return rows[:count], f"rows of general data in {split}.jsonl"
    known = mmlu.questions(seed=0)
    chosen = known[skip:][:count] or known[:count]
    return [mmlu.as_row(question, number) for number, question in enumerate(chosen)], "questions of general knowledge (MMLU)"


def encode_general(rows: list[Any], tokenizer: Any) -> list[Any]:
    """``rows`` as tokens, at most ``GENERAL_LENGTH`` each."""
    from engine.lib import chat_rows

    return chat_rows.encode(rows, tokenizer, GENERAL_LENGTH)[0]
