"""Give back some of what training took: weights between those of the base and those of the tuned model."""

from typing import Any

from pydantic import Field

from engine import manifest
from engine.context import Context
from engine.exits import InputError, Stopped
from engine.lib.interpolation import Point, best_within, check_alike, go_to, ratios, weights_of
from engine.lib.merging import check_base, check_same, conversation
from engine.registry import StageParams, stage

ADVANCED: dict[str, Any] = {"advanced": True}


class Params(StageParams):
    general_budget: float = Field(
        0.1,
        ge=0,
        le=10,
        title="Budget for forgetting",
        description="How much the loss on general texts may rise above the base model's, in nats a token. Of the mixtures within it, the "
        "one that does best on the validation pairs is kept.",
    )
    ratio: float | None = Field(
        None,
        ge=0,
        le=1,
        title="Share of the training kept",
        description="0 is the base model, 1 the tuned one. Empty: chosen by the budget.",
    )
    mixtures: int = Field(
        5,
        ge=2,
        le=21,
        title="Mixtures tried",
        description="So many, from the base model to the tuned one at equal distances. Each is measured.",
    )
    eval_rows: int = Field(
        64,
        ge=1,
        title="Validation pairs",
        json_schema_extra=ADVANCED,
        description="At most so many validation pairs are read with each mixture; more is more exact and slower.",
    )
    general_rows: int = Field(
        64,
        ge=1,
        le=281,
        title="General texts",
        json_schema_extra=ADVANCED,
        description="So many texts of general knowledge are read with each mixture.",
    )
    max_length: int = Field(
        1024,
        ge=16,
        le=131072,
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
        description="Make it smaller when memory runs out. The result does not depend on it.",
    )
    prompt: str = Field(
        "Explain what you know best in two sentences.",
        min_length=1,
        max_length=2000,
        title="Test question",
        json_schema_extra=ADVANCED,
        description="Asked of the mixture before and after it is written; it is kept only when both agree.",
    )


@stage(
    key="blend",
    title="Blend with the base model",
    group="train",
    queue="gpu",
    consumes={"model": "hf-model", "adapter": "adapter?", "tuned": "hf-model?", "dataset": "dataset"},
    produces={"model": "hf-model"},
    requires=("torch", "transformers", "peft", "lm_eval"),
)
def run(ctx: Context, params: Params) -> None:
    """Mix the tuned model with its base, measure several mixtures, and keep the best that forgets little enough."""
    role = tuned_role(ctx)
    if role == "adapter":  # a tuned model may be several trainings away from its base
        check_base(ctx)
    from engine.lib import models
    from engine.lib.training import data

    models.prepare_libraries()
    import torch

    with ctx.phase("load", "Loading both models"):
        tokenizer = models.load_tokenizer(ctx.inputs["tuned" if role == "tuned" else "model"])
        pairs = validation_pairs(ctx, params, tokenizer)
        rows, what = data.general_rows(ctx, "validation", params.general_rows)
        general = data.encode_general(rows, tokenizer)
        ctx.log(f"{len(pairs)} validation pairs; {len(general)} {what}")
        model, base, tuned = both_ends(ctx, role)

    with ctx.phase("sweep", "Measuring the mixtures"):
        model.to(models.pick_dtype())
        points = sweep(ctx, params, model, base, tuned, pairs, general, tokenizer.pad_token_id)
        kept = chosen(ctx, params, points)

    folder = ctx.work / "model"
    with ctx.phase("save", "Writing the mixture"):
        model.float()
        ids = conversation(tokenizer, params.prompt, model.device)
        logits = []
        for ratio in (0.0, kept.ratio):
            go_to(model, base, tuned, ratio)
            with torch.inference_mode():
                logits.append(model(input_ids=ids).logits[0].cpu())
        models.save_model(model.to(torch.bfloat16), tokenizer, folder)
        del model, base, tuned

    with ctx.phase("check", "Comparing what was written"):
        facts = checked(ctx, params, tokenizer, ids, logits, kept)
    facts |= {"method": "blend", "ratio": kept.ratio, "sweep": [point.as_dict() for point in points]}
    facts |= {"eval_loss": kept.eval_loss, "forgotten": kept.general_loss - points[0].general_loss}
    facts |= {"base": manifest.read(ctx.inputs["model"]).sha256, "dataset": manifest.read(ctx.inputs["dataset"]).sha256}
    ctx.save("model", folder, kind="hf-model", facts=facts)
    ctx.finish(
        ratio=kept.ratio, eval_loss=kept.eval_loss, general_loss=kept.general_loss, forgotten=facts["forgotten"],
        over_budget=facts["forgotten"] > params.general_budget, sweep=facts["sweep"],
    )  # fmt: skip


def tuned_role(ctx: Context) -> str:
    """Which input is the tuned model. Raises ``InputError`` unless it is one of the two."""
    given = [role for role in ("adapter", "tuned") if role in ctx.inputs]
    if len(given) != 1:
        raise InputError(
            "tuned",
            "Blending needs the base model and one other: an adapter, or a tuned model.",
            where="adapter, tuned",
            mend="Give exactly one of the two.",
        )
    return given[0]


def validation_pairs(ctx: Context, params: Params, tokenizer: Any) -> list[Any]:
    """The domain's validation pairs as tokens. Raises ``InputError`` when there are none."""
    from engine.lib import chat_rows

    rows = [row for row in chat_rows.read_split(ctx.inputs["dataset"], "validation") if not row.rehearsal][: params.eval_rows]
    found, rejects = chat_rows.encode(rows, tokenizer, params.max_length)
    chat_rows.warn_rejects(ctx.warn, rejects, len(rows), params.max_length)
    if not found:
        raise InputError(
            "no_validation",
            "The dataset has no validation pairs, so mixtures cannot be told apart.",
            where="validation.jsonl",
            mend="Cut a dataset version with a validation split.",
        )
    return found


def both_ends(ctx: Context, role: str) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """A model in fp32 to put weights into, the base's weights, and the tuned model's. Raises ``InputError`` when they do not fit.

    An adapter's change of the weights is scaled when the merged model's are interpolated: it is the same line.
    """
    import torch

    from engine.lib import adapters, models

    model = models.load_model(ctx.inputs["model"], dtype=torch.float32)
    base = weights_of(model)
    if role == "adapter":
        model = adapters.load_adapter(model, ctx.inputs["adapter"]).merge_and_unload(safe_merge=True)
    else:
        model = models.load_model(ctx.inputs["tuned"], dtype=torch.float32)
    tuned = weights_of(model)
    check_alike(base, tuned)
    return model, base, tuned


def sweep(
    ctx: Context, params: Params, model: Any, base: dict[str, Any], tuned: dict[str, Any], pairs: list[Any], general: list[Any], pad: int
) -> list[Point]:
    """Each mixture with its losses, from the base on; charted over the percent of the tuned model. Raises ``Stopped``."""
    from engine.lib import scoring

    def loss(rows: list[Any]) -> float:
        sums = scoring.row_losses(model, rows, pad, batch_size=params.batch_size, should_stop=lambda: ctx.stop_requested)
        if sums is None:
            raise Stopped()
        return scoring.mean_loss(sums)

    points: list[Point] = []
    wanted = ratios(params.mixtures, params.ratio)
    for number, ratio in enumerate(wanted, start=1):
        go_to(model, base, tuned, ratio)
        point = Point(ratio, loss(pairs), loss(general))
        points.append(point)
        ctx.metric(round(100 * ratio), eval_loss=point.eval_loss, general_loss=point.general_loss)
        ctx.log(f"{ratio:.0%} tuned: {point.eval_loss:.4f} on validation pairs, {point.general_loss:.4f} on general texts")
        ctx.progress(number, len(wanted), "mixtures")
    return points


def chosen(ctx: Context, params: Params, points: list[Point]) -> Point:
    """The mixture to keep: the one asked for, else the best within the budget, which may be the base itself."""
    if params.ratio is not None:
        return next(point for point in points if point.ratio == params.ratio)
    kept = best_within(points, params.general_budget)
    if kept.ratio == 0:
        ctx.warn(
            "blend",
            "No mixture within the budget for forgetting does better on the validation pairs than the base model, which is kept as it is.",
            where="general_budget",
            mend="Raise the budget, try more mixtures, or train with general data in the dataset version.",
        )
    return kept


def checked(ctx: Context, params: Params, tokenizer: Any, ids: Any, logits: list[Any], kept: Point) -> dict[str, Any]:
    """Facts of the written model. ``logits``: those of the base and of the mixture, over ``ids``. Raises ``InputError`` if it differs."""
    import torch

    from engine.lib import models, parity

    folder = ctx.work / "model"
    written = models.load_model(folder, dtype=torch.float32)
    with torch.inference_mode():
        found = parity.compare_logits(logits[1], written(input_ids=ids).logits[0].cpu())
    check_same(found)
    answer = models.speak(written.to(torch.bfloat16), tokenizer, params.prompt, max_new_tokens=24)
    ctx.sample(f"The mixture with {kept.ratio:.0%} of the tuned model", params.prompt, answer)
    return models.describe(written, tokenizer) | {
        "name": manifest.read(ctx.inputs["model"]).facts.get("name", ""), "logit_difference": found["difference"],
        "logit_kl": found["kl"], "logit_agreement": found["agreement"],
        "effect": parity.compare_logits(logits[0], logits[1])["difference"], "bytes": sum(p.stat().st_size for p in folder.iterdir()),
    }  # fmt: skip
