"""Train all weights of a small model to say what a larger one says, word by word."""

from pydantic import Field

from engine.context import Context
from engine.lib.training.distilling import DistillParams
from engine.registry import stage


class Params(DistillParams):
    learning_rate: float = Field(
        2e-5,
        gt=0,
        le=0.1,
        title="Learning rate",
        description="How far each step moves the student. 0.00001 to 0.00005 is usual.",
    )


@stage(
    key="distill",
    title="Distil from a teacher's probabilities",
    group="train",
    queue="gpu",
    consumes={"model": "hf-model", "teacher": "hf-model", "dataset": "dataset"},
    produces={"model": "hf-model"},
    requires=("torch", "transformers"),
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Train a small model, the student, to find each word as likely as a larger one of its family, the teacher, does. All of the
    student's weights are trained. Both stand in memory."""
    from engine.lib import models
    from engine.lib.training import data, distilling, jobs, loop, starting

    starting.begin(ctx)
    with ctx.phase("prepare", "Reading the pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        pairs = data.read_pairs(ctx, params, tokenizer)
    with ctx.phase("load", "Loading student and teacher"):
        teacher = distilling.load_teacher(ctx, params, tokenizer, pairs[0])
        model = models.load_model(ctx.inputs["model"], dtype=models.pick_dtype(params.precision))
        starting.check_model(model, pairs[0], params)
    job = jobs.model_job(ctx, params, model, tokenizer, pairs, method="distill", **distilling.facts(params))
    loop.train(ctx, params, distilling.taught(ctx, params, job, teacher))
