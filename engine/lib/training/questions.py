"""Questions of a dataset that the model shall answer itself while it is trained, in the form that TRL's trainers read."""

from dataclasses import replace
from functools import partial
from typing import Any

from engine.context import Context
from engine.exits import InputError
from engine.lib import chat_rows
from engine.lib.chat_rows import Encoded, Rejects, Row
from engine.lib.training.data import check_counts
from engine.lib.training.preferences import Read
from engine.lib.training.rewarded import RewardedParams

REASONS = chat_rows.REASONS | {
    "no_question": ("In {n} nothing stands before the answer; they are left out.", "Give each pair a question."),
    "no_room": (
        "In {n} the question leaves no room for an answer within the longest text allowed; they are left out.",
        "Shorten the questions, allow longer texts, or ask for shorter answers.",
    ),
}


def read_questions(ctx: Context, params: RewardedParams, tokenizer: Any) -> Read:
    """``{"prompt", "reference", "question_ids"}`` of every pair: what stands before its last answer, that answer, the former as tokens.

    Names the rows that it leaves out; general data is left out silently, for what is rewarded is about the domain. Raises ``InputError``
    for a dataset with too few, also for one step, and for a template that refuses a conversation.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    longest = Encoded(Row("", [], "", 0), [], [])
    for split in ("train", "validation"):
        rows = [row for row in chat_rows.read_split(ctx.inputs["dataset"], split) if not row.rehearsal]
        if split == "validation":
            rows = rows[: params.eval_rows]
        rejects = Rejects()
        found[split] = []
        tell = partial(ctx.progress, total=len(rows), unit="questions")
        for number, row in enumerate(rows):
            tell(number)
            if reason := _defect(row):
                rejects.add(reason, row)
                continue
            question = replace(row, messages=row.messages[: _answer_at(row)])
            tokens = _tokens(question, tokenizer)
            if len(tokens) + params.max_new_tokens > params.max_length:
                rejects.add("no_room", row)
                continue
            answer = row.messages[_answer_at(row)]["content"]
            found[split].append({"prompt": question.messages, "reference": answer, "question_ids": tokens})
            whole = Encoded(question, tokens + [tokenizer.eos_token_id] * params.max_new_tokens, [])
            if split == "train" and len(whole.ids) > len(longest.ids):
                longest = whole
        chat_rows.warn_rejects(ctx.warn, rejects, len(rows), params.max_length, REASONS)
    check_counts(ctx, found["train"], found["validation"])
    if len(found["train"]) < params.batch_size:
        raise InputError(
            "too_few_questions",
            f"A step answers {params.batch_size} questions at once, and only {len(found['train'])} can be used.",
            where="batch_size",
            mend=f"Answer at most {len(found['train'])} at once, or add questions.",
        )
    ctx.log(f"{len(found['train'])} questions, {len(found['validation'])} validation questions; {params.generations} answers to each")
    return Read(found["train"], found["validation"], longest)


def _answer_at(row: Row) -> int:
    """The place of the last answer among the turns; -1 where there is none."""
    return next((place for place in range(len(row.messages) - 1, -1, -1) if row.messages[place]["role"] == "assistant"), -1)


def _defect(row: Row) -> str:
    """Why ``row`` cannot be used, as a kind of `REASONS`; empty when it can."""
    place = _answer_at(row)
    if place < 0:
        return "no_answer"
    if place == 0:
        return "no_question"
    return "" if row.messages[place]["content"].strip() else "empty_answer"


def _tokens(question: Row, tokenizer: Any) -> list[int]:
    try:
        return list(tokenizer.apply_chat_template(question.messages, add_generation_prompt=True, return_dict=False))
    except Exception as error:  # jinja2 errors: templates raise their own for orders of roles that they do not allow
        raise InputError(
            "template_refuses",
            f"The model's chat template refuses this conversation: {error}",
            where=question.where,
            mend="Correct the order of the turns, or choose another base model.",
        ) from error
