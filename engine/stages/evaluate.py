"""Score a model, and the same model with its adapter or soft prompt, on the project's test pairs and on general knowledge."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from engine import manifest, memory
from engine.context import Context, versions
from engine.exits import InputError, Stopped
from engine.registry import StageParams, stage

ADVANCED: dict[str, Any] = {"advanced": True}


class Params(StageParams):
    test_rows: int = Field(
        500,
        ge=1,
        title="Test pairs",
        json_schema_extra=ADVANCED,
        description="At most so many test pairs are scored by their loss.",
    )
    answer_rows: int = Field(
        75,
        ge=1,
        title="Answers written",
        description="For so many test pairs the model writes an answer of its own, compared with the reference. "
        "Writing takes most of the time.",
    )
    max_new_tokens: int = Field(
        64,
        ge=1,
        le=4096,
        title="Longest answer",
        json_schema_extra=ADVANCED,
        description="In tokens. Answers are cut there; references are not.",
    )
    general_questions: int = Field(
        114,
        ge=0,
        title="General questions",
        description="Questions of general knowledge (MMLU) that show whether the model has forgotten anything. "
        "114 is two a subject; 0 asks all 281.",
    )
    max_length: int = Field(
        2048,
        ge=16,
        title="Longest text",
        json_schema_extra=ADVANCED,
        description="In tokens, question and answer together. Longer pairs are cut as in training.",
    )
    batch_size: int = Field(
        16,
        ge=1,
        le=512,
        title="Texts at once",
        json_schema_extra=ADVANCED,
        description="Make it smaller when memory runs out. The scores do not depend on it.",
    )


@stage(
    key="evaluate",
    title="Evaluate",
    group="evaluate",
    queue="gpu",
    consumes={"model": "hf-model", "adapter": "adapter?", "soft_prompt": "soft-prompt?", "base": "hf-model?", "dataset": "dataset"},
    produces={"report": "report"},
    requires=("torch", "transformers", "peft", "lm_eval", "rouge_score"),
)
def run(ctx: Context, params: Params) -> None:
    """Measure what training brought and what it cost: the test pairs, and general knowledge, before and after, with 95% intervals."""
    from engine.lib import adapters, chat_rows, mmlu, models

    models.prepare_libraries()
    adapter = adapter_of(ctx)
    with ctx.phase("load", "Loading the model"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        rows = chat_rows.read_split(ctx.inputs["dataset"], "test")
        if not rows:
            raise InputError(
                "no_test_pairs",
                "The dataset has no test pairs.",
                where="test.jsonl",
                mend="Cut a dataset version with a test split.",
            )
        rows = [last_answer_only(row) for row in rows[: params.test_rows]]
        pairs, rejects = chat_rows.encode(rows, tokenizer, params.max_length)
        chat_rows.warn_rejects(ctx.warn, rejects, len(rows), params.max_length)
        if not pairs:
            raise InputError("no_usable_pairs", "None of the test pairs can be used.", where="test.jsonl", mend="See the warnings above.")
        known = mmlu.questions(ctx.seed)
        chosen = known[: params.general_questions or len(known)]
        general, _ = chat_rows.encode([mmlu.as_row(q, n) for n, q in enumerate(chosen)], tokenizer, params.max_length)
        apart = "base" in ctx.inputs  # the base is a model of its own, not the same one without its adapter
        if apart:
            check_same_words(tokenizer, models.load_tokenizer(ctx.inputs["base"]))
        model = models.load_model(ctx.inputs["base" if apart else "model"])
        if adapter and not apart:
            model = adapters.load_adapter(model, adapter)

    # One process, one model: the adapter is switched off for the base and on for the tuned one; two models come one after the other.
    found: dict[str, Findings] = {}
    if apart:
        found["base"] = measure(ctx, params, model, tokenizer, pairs, general, chosen, "base", "the base model")
        del model
        memory.give_back_freed()
        with ctx.phase("load_tuned", "Loading the tuned model"):
            model = models.load_model(ctx.inputs["model"])
            if adapter:
                model = adapters.load_adapter(model, adapter)
        found["tuned"] = measure(ctx, params, model, tokenizer, pairs, general, chosen, "tuned", "the tuned model")
    elif adapter:
        with model.disable_adapter():
            found["base"] = measure(ctx, params, model, tokenizer, pairs, general, chosen, "base", "the base model")
        found["tuned"] = measure(ctx, params, model, tokenizer, pairs, general, chosen, "tuned", "the tuned model")
    else:
        found["base"] = measure(ctx, params, model, tokenizer, pairs, general, chosen, "base", "the model")

    with ctx.phase("report", "Writing the report"):
        folder = ctx.work / "report"
        report = write_report(folder, ctx, params, pairs, found, {"questions": len(chosen), "of": len(known)})
    facts: dict[str, Any] = {who: {k: v["value"] for k, v in report[who].items()} for who in found}
    facts |= {"pairs": len(pairs), "gain": report["gain"], "mmlu_informative": report["mmlu_informative"]}
    facts |= {role: manifest.read(folder_in).sha256 for role, folder_in in ctx.inputs.items()}
    ctx.save("report", folder, kind="report", facts=facts)
    ctx.finish(pairs=len(pairs), gain=report["gain"], **{who: facts[who] for who in found})


def check_same_words(tokenizer: Any, other: Any) -> None:
    """Raise ``InputError`` for a base model that cuts text into other tokens: losses a token could not be compared."""
    if tokenizer.get_vocab() != other.get_vocab():
        raise InputError(
            "another_vocabulary",
            "The model and the base model it is compared with cut text into different tokens.",
            where="base",
            mend="Compare with the base model that this one was trained from, or evaluate it alone.",
        )


def adapter_of(ctx: Context) -> Path | None:
    """The adapter or the soft prompt that is measured on the model, if any. Raises ``InputError`` for both: they were trained apart."""
    given = [ctx.inputs[role] for role in ("adapter", "soft_prompt") if role in ctx.inputs]
    if len(given) > 1:
        raise InputError("two_adapters", "Only one can be measured at a time.", where="soft_prompt", mend="Evaluate each by itself.")
    return given[0] if given else None


class Findings:
    """What was measured of one model, a value a row."""

    losses: list[tuple[float, int]]  # summed loss and number of answer tokens of each test pair
    answers: list[str]  # of the first test pairs
    token_f1: list[float]
    rouge_l: list[float]
    general: list[tuple[float, int]]
    mmlu: list[float]


def measure(
    ctx: Context, params: Params, model: Any, tokenizer: Any, pairs: list[Any], general: list[Any], chosen: list[Any], key: str, who: str
) -> Findings:
    """Everything of one model. Raises ``Stopped`` between batches when asked to."""
    from engine.lib import mmlu, overlap

    found = Findings()
    with ctx.phase(f"{key}_loss", f"Reading the test pairs with {who}"):
        found.losses = losses(ctx, params, model, tokenizer, pairs)
    answered = pairs[: params.answer_rows]
    with ctx.phase(f"{key}_answers", f"Writing answers with {who}"):
        found.answers = answers(ctx, params, model, tokenizer, answered)
    references = [pair.row.messages[-1]["content"] for pair in answered]
    found.token_f1 = [overlap.token_f1(*both) for both in zip(found.answers, references, strict=True)]
    found.rouge_l = overlap.rouge_l(found.answers, references)
    ctx.sample(f"Answer of {who}", answered[0].row.messages[-2]["content"], found.answers[0])
    with ctx.phase(f"{key}_general", f"Reading general texts with {who}"):
        found.general = losses(ctx, params, model, tokenizer, general)
    with ctx.phase(f"{key}_mmlu", f"Asking {who} general questions"):
        found.mmlu = mmlu.letters_right(
            model, tokenizer, chosen, ctx.work, params.batch_size, lambda done: ctx.progress(done, len(chosen), "questions")
        )
    if ctx.stop_requested:
        raise Stopped()
    return found


def losses(ctx: Context, params: Params, model: Any, tokenizer: Any, rows: list[Any]) -> list[tuple[float, int]]:
    from engine.lib import scoring

    sums = scoring.row_losses(
        model, rows, tokenizer.pad_token_id, batch_size=params.batch_size,
        on_batch=lambda done: ctx.progress(done, len(rows), "texts"), should_stop=lambda: ctx.stop_requested,
    )  # fmt: skip
    if sums is None:
        raise Stopped()
    return sums


def answers(ctx: Context, params: Params, model: Any, tokenizer: Any, pairs: list[Any]) -> list[str]:
    """The greedy answer to each pair's question, in batches of questions of like length."""
    from engine.lib import batches, models

    found = [""] * len(pairs)
    done = 0
    # the head and the weights are read once a step whatever the batch, so answering many at once is far faster
    for numbers in batches.by_length([len(pair.ids) for pair in pairs], 2 * params.batch_size):
        if ctx.stop_requested:
            raise Stopped()
        said = models.greedy(model, tokenizer, [pairs[n].row.messages[:-1] for n in numbers], max_new_tokens=params.max_new_tokens)
        for number, tokens in zip(numbers, said, strict=True):
            found[number] = tokenizer.decode(tokens, skip_special_tokens=True).strip()
        done += len(numbers)
        ctx.progress(done, len(pairs), "answers")
    return found


def last_answer_only(row: Any) -> Any:
    """``row`` up to its last assistant turn: that answer is the one that is asked for."""
    from dataclasses import replace

    places = [i for i, message in enumerate(row.messages) if message["role"] == "assistant"]
    return replace(row, messages=row.messages[: places[-1] + 1]) if places else row


def write_report(
    folder: Path, ctx: Context, params: Params, pairs: list[Any], found: dict[str, Findings], general: dict[str, int]
) -> dict[str, Any]:
    """report.json and samples.jsonl. ``general``: how many general questions were asked, of how many. Returns the report."""
    from engine.lib import bootstrap, mmlu

    def scores(of: Findings) -> dict[str, Any]:
        loss = per_token(of.losses)
        return {
            "loss": loss, "perplexity": bootstrap.power_of_e(loss), "token_f1": bootstrap.mean(of.token_f1),
            "rouge_l": bootstrap.mean(of.rouge_l), "general_loss": per_token(of.general),
            "mmlu": bootstrap.mean(of.mmlu),
        }  # fmt: skip

    base, tuned = found["base"], found.get("tuned")
    report: dict[str, Any] = {"base": scores(base), "tuned": scores(tuned) if tuned else None, "gain": None}
    if tuned:  # row by row, so that how hard a row is cancels out; a gain above zero is better
        report["gain"] = {
            "loss": paired_loss(base.losses, tuned.losses), "general_loss": paired_loss(base.general, tuned.general),
            "token_f1": bootstrap.mean([t - b for b, t in zip(base.token_f1, tuned.token_f1, strict=True)]),
            "rouge_l": bootstrap.mean([t - b for b, t in zip(base.rouge_l, tuned.rouge_l, strict=True)]),
            "mmlu": bootstrap.mean([t - b for b, t in zip(base.mmlu, tuned.mmlu, strict=True)]),
        }  # fmt: skip
    known = report["base"]["mmlu"]
    # a model that guesses has nothing to forget: its letters say nothing
    report["mmlu_informative"] = not known["low"] <= mmlu.CHANCE <= known["high"]
    report |= {"pairs": len(pairs), "general": general, "settings": params.model_dump() | {"seed": ctx.seed}, "versions": versions()}

    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=1), "utf-8")
    with open(folder / "samples.jsonl", "w", encoding="utf-8") as file:
        for number, pair in enumerate(pairs):
            file.write(json.dumps(sample(number, pair, found), ensure_ascii=False) + "\n")
    return report


def per_token(rows: list[tuple[float, int]]) -> dict[str, Any]:
    """Loss per answer token over all rows."""
    from engine.lib import bootstrap

    return bootstrap.ratio([loss for loss, _ in rows], [tokens for _, tokens in rows])


def paired_loss(base: list[tuple[float, int]], tuned: list[tuple[float, int]]) -> dict[str, Any]:
    """Loss per token won by training: base minus tuned on the same rows."""
    from engine.lib import bootstrap

    return bootstrap.ratio([b[0] - t[0] for b, t in zip(base, tuned, strict=True)], [b[1] for b in base])


def sample(number: int, pair: Any, found: dict[str, Findings]) -> dict[str, Any]:
    """One test pair with what each model made of it; null where nothing was measured."""
    row: dict[str, Any] = {
        "id": pair.row.id, "question": pair.row.messages[-2]["content"] if len(pair.row.messages) > 1 else "",
        "reference": pair.row.messages[-1]["content"], "tokens": pair.answer_tokens,
    }  # fmt: skip
    for who in ("base", "tuned"):
        of = found.get(who)
        written = of is not None and number < len(of.answers)
        row[f"{who}_answer"] = of.answers[number] if of and written else None
        row[f"{who}_loss"] = of.losses[number][0] / of.losses[number][1] if of else None
        row[f"{who}_f1"] = of.token_f1[number] if of and written else None
        row[f"{who}_rouge_l"] = of.rouge_l[number] if of and written else None
    return row
