"""Make one model of a base model and its adapter."""

from pydantic import Field

from engine import manifest
from engine.context import Context
from engine.exits import Stopped
from engine.lib.merging import check_base, check_same, conversation
from engine.registry import StageParams, stage


class Params(StageParams):
    prompt: str = Field(
        "Explain what you know best in two sentences.",
        min_length=1,
        max_length=2000,
        title="Test question",
        description="Asked of the model before and after merging; the merged model is kept only when both agree.",
        json_schema_extra={"advanced": True},
    )


@stage(
    key="merge",
    title="Merge adapter into model",
    group="compress",
    queue="gpu",
    consumes={"model": "hf-model", "adapter": "adapter"},
    produces={"model": "hf-model"},
    requires=("torch", "transformers", "peft"),
)
def run(ctx: Context, params: Params) -> None:
    """Write the adapter into the model's weights: one model that needs no adapter, checked to answer the same."""
    check_base(ctx)
    from engine.lib import adapters, models, parity

    models.prepare_libraries()
    import torch

    with ctx.phase("load", "Loading model and adapter"):
        tokenizer = models.load_tokenizer(ctx.inputs["model"])
        # fp32, so that the only rounding is the one at the end
        model = models.load_model(ctx.inputs["model"], dtype=torch.float32)
        kept_as = torch.bfloat16
        base = manifest.read(ctx.inputs["model"]).facts
        model = adapters.load_adapter(model, ctx.inputs["adapter"])
        ids = conversation(tokenizer, params.prompt, model.device)
        with torch.inference_mode():
            before = model(input_ids=ids).logits[0].cpu()
            with model.disable_adapter():
                without = model(input_ids=ids).logits[0].cpu()
    if ctx.stop_requested:
        raise Stopped()

    folder = ctx.work / "model"
    with ctx.phase("merge", "Merging and saving"):
        model = model.merge_and_unload(safe_merge=True)  # raises where a weight becomes NaN
        models.save_model(model.to(kept_as), tokenizer, folder)
        del model

    with ctx.phase("check", "Comparing with the adapter"):
        merged = models.load_model(folder, dtype=torch.float32)
        with torch.inference_mode():
            after = merged(input_ids=ids).logits[0].cpu()
        found = parity.compare_logits(before, after)
        effect = parity.compare_logits(without, before)  # how much the adapter changes at all
        ctx.log(f"merged against adapter: {found}; adapter against base: {effect}")
        check_same(found)
        answer = models.speak(merged.to(kept_as), tokenizer, params.prompt, max_new_tokens=24)
        ctx.sample("The merged model", params.prompt, answer)
        facts = models.describe(merged, tokenizer) | {
            "dtype": str(kept_as).removeprefix("torch."), "name": base.get("name", ""), "merged": True,
            "logit_difference": found["difference"], "logit_kl": found["kl"], "logit_agreement": found["agreement"],
            "adapter_effect": effect["difference"], "bytes": sum(p.stat().st_size for p in folder.iterdir()),
        }  # fmt: skip
    ctx.save("model", folder, kind="hf-model", facts=facts)
    ctx.finish(logit_difference=found["difference"], logit_agreement=found["agreement"], answer=answer)
