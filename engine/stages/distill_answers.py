"""A dataset whose answers a teacher writes, to fine-tune a smaller model on."""

from pydantic import Field

from engine.context import Context
from engine.lib.asking_params import ADVANCED, CallParams
from engine.registry import stage


class Params(CallParams):
    instruction: str = Field(
        "",
        max_length=4000,
        title="Instruction to the teacher",
        description="Told to it before each question, as in “Answer in two sentences, in plain words.” The student never sees it.",
    )
    temperature: float = Field(
        0.0,
        ge=0,
        le=2,
        title="Temperature",
        json_schema_extra=ADVANCED,
        description="0 takes what the teacher finds likeliest, which teaches best. A teacher on this machine always does.",
    )
    batch_size: int = Field(
        8,
        ge=1,
        le=256,
        title="Questions at once",
        json_schema_extra=ADVANCED,
        description="How many a teacher on this machine answers in one go.",
    )


@stage(
    key="distill_answers",
    title="Have a teacher answer the questions",
    group="data",
    queue="gpu",
    consumes={"dataset": "dataset", "teacher": "hf-model?"},
    produces={"dataset": "dataset"},
    requires=("openai",),
    endpoints=("chat",),
)
def run(ctx: Context, params: Params) -> None:
    """A larger model answers the questions of a dataset; fine-tuning on its answers teaches a smaller one to answer alike, whatever family
    either is of. The test pairs keep their answers. Stopping keeps what was answered."""
    from engine.lib import taught_answers
    from engine.lib.taught_answers import TaughtAnswers

    asker = None if "teacher" in ctx.inputs else params.asker()
    taught = TaughtAnswers.of(ctx, params.instruction, asker)
    with ctx.phase("answer", "The teacher answers"):
        if asker is not None:
            taught.ask(params.parallel)
        else:
            taught_answers.answer_here(taught, ctx.inputs["teacher"], params.answer_tokens, params.batch_size)
    taught.hand_over(params.writer or (asker.endpoint.model if asker else taught_answers.name_of(ctx.inputs["teacher"])))
