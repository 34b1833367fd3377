"""General data that a model rehearses while it is trained: its own answers to questions of every kind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from engine.context import Context
from engine.exits import InputError
from engine.lib.made_pairs import MadePairs
from engine.lib.pair_rows import PairRow
from engine.registry import StageParams, stage

ADVANCED: dict[str, Any] = {"advanced": True}
QUESTIONS = Path(__file__).parents[1] / "lib" / "prompts" / "general.txt"
TAG = "general"  # under which pairs are general data when a dataset version is cut
NAMES = ("prompt", "instruction", "question", "text")  # of the column of a file that holds the questions
FEWEST = 8  # pairs below which there is not much to rehearse


class Params(StageParams):
    questions: int = Field(
        237,
        ge=1,
        le=5000,
        title="Questions",
        description="At most so many general questions are asked. Each with a whole answer becomes a pair.",
    )
    own_questions: str = Field(
        "",
        max_length=50_000,
        title="Questions of your own",
        json_schema_extra={"lines": 5},
        description="One a line; they come before the studio's. General ones: what the model shall still be able to do afterwards.",
    )
    exam_questions: bool = Field(
        False,
        title="Exam questions as well",
        json_schema_extra=ADVANCED,
        description="Adds the 281 questions (MMLU) that forgetting is measured on. Then the measure flatters the model; take it only where "
        "forgetting is measured in another way.",
    )
    max_new_tokens: int = Field(
        256,
        ge=8,
        le=4096,
        title="Longest answer",
        json_schema_extra=ADVANCED,
        description="In tokens. An answer that does not end by then is left out: half an answer teaches to stop half-way.",
    )
    batch_size: int = Field(
        16,
        ge=1,
        le=256,
        title="Questions at once",
        json_schema_extra=ADVANCED,
        description="Make it smaller when memory runs out. The answers do not depend on it.",
    )


@stage(
    key="make_rehearsal",
    title="Write general data",
    group="data",
    queue="gpu",
    consumes={"model": "hf-model", "prompts": "table-file?"},
    produces={"pairs": "pairs"},
    requires=("torch", "transformers"),
)
def run(ctx: Context, params: Params) -> None:
    """Have the base model answer general questions. Mixed into the training data, its own answers keep it able to give them."""
    from engine.lib import batches, models

    models.prepare_libraries()
    with ctx.phase("load", "Loading the model"):
        asked = questions(ctx, params)
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        model = models.load_model(ctx.inputs["model"])
        ctx.log(f"{len(asked)} general questions")
    made = MadePairs(ctx, len(asked))
    done = 0
    with ctx.phase("answer", "Answering general questions"):
        for numbers in batches.by_length([len(question) for question in asked], params.batch_size):
            if ctx.stop_requested:
                break
            talks = [[{"role": "user", "content": asked[number]}] for number in numbers]
            for talk, tokens in zip(talks, models.greedy(model, tokenizer, talks, max_new_tokens=params.max_new_tokens), strict=True):
                answer = tokenizer.decode(tokens, skip_special_tokens=True).strip()
                if len(tokens) >= params.max_new_tokens:
                    made.rejected["answer without an end"] += 1
                elif not answer:
                    made.rejected["no answer"] += 1
                else:
                    made.keep(PairRow(messages=[*talk, {"role": "assistant", "content": answer}], tags=[TAG]))
            done += len(numbers)
            ctx.progress(done, len(asked), "questions")
            ctx.metric(done, accepted=len(made.rows), rejected=made.rejected.total())
    if 0 < len(made.rows) < FEWEST and not ctx.stop_requested:
        ctx.warn("few", f"Only {len(made.rows)} answers came to an end.", where="max_new_tokens", mend="Allow longer answers.")
    facts = made.facts("generated", "make_rehearsal") | {"general": True, "tag": TAG}
    made.hand_over(facts, complete=not ctx.stop_requested, nothing="Allow longer answers, or take a model that was taught to answer.")


def questions(ctx: Context, params: Params) -> list[str]:
    """What is asked, each once: the person's own, those of the file, the studio's, and exam questions where they are wanted."""
    from engine.lib import mmlu

    found = [*params.own_questions.splitlines(), *from_file(ctx), *QUESTIONS.read_text("utf-8").splitlines()]
    if params.exam_questions:
        found += [question.text for question in mmlu.questions(seed=0)]
    return list(dict.fromkeys(question.strip() for question in found if question.strip()))[: params.questions]


def from_file(ctx: Context) -> Iterator[str]:
    """The questions of the file, where one is given. Raises ``InputError`` for one without a column of questions."""
    from engine.lib.pair_files import open_table

    if "prompts" not in ctx.inputs:
        return
    (path,) = ctx.inputs["prompts"].glob("table.*")
    column = ""
    for line in open_table(path).lines:
        record = line.record or {}
        column = column or next((name for name in record if str(name).strip().lower() in NAMES), "")
        if not column:
            raise InputError(
                "no_questions",
                "The file has no column of questions.",
                where=f"{path.name}, row {line.number}",
                mend=f"Name the column {NAMES[0]}, or one of {', '.join(NAMES[1:])}.",
            )
        if isinstance(said := record.get(column), str):
            yield said
