"""Train an adapter by which a small model says what a larger one says, word by word."""

from engine.context import Context
from engine.lib.training.distilling import DistillParams
from engine.lib.training.settings import LoraParams
from engine.registry import stage


class Params(LoraParams, DistillParams):
    pass


@stage(
    key="distill_lora",
    title="Distil from a teacher's probabilities with LoRA",
    group="train",
    queue="gpu",
    consumes={"model": "hf-model", "teacher": "hf-model", "dataset": "dataset"},
    produces={"adapter": "adapter"},
    requires=("torch", "transformers", "peft"),
    resumable=True,
)
def run(ctx: Context, params: Params) -> None:
    """Train a small adapter by which a model, the student, finds each word as likely as a larger one of its family, the teacher, does;
    the model itself stays as it is. Both stand in memory."""
    from engine.lib import adapters, models
    from engine.lib.training import data, distilling, jobs, loop, starting

    starting.begin(ctx)
    with ctx.phase("prepare", "Reading the pairs"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        pairs = data.read_pairs(ctx, params, tokenizer)
    with ctx.phase("load", "Loading student and teacher"):
        teacher = distilling.load_teacher(ctx, params, tokenizer, pairs[0])
        model = models.load_model(ctx.inputs["model"], dtype=models.pick_dtype(params.precision))
        starting.check_model(model, pairs[0], params)
        model = adapters.attach_lora(model, params)
    facts = {"method": "distill_lora"} | jobs.lora_facts(params) | distilling.facts(params)
    job = jobs.adapter_job(ctx, params, model, tokenizer, pairs, **facts)
    loop.train(ctx, params, distilling.taught(ctx, params, job, teacher))
