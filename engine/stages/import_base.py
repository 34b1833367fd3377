"""Bring a base model into the studio's own form: safetensors in bf16 with tokenizer and chat template."""

from pathlib import Path

from pydantic import Field

from engine.context import Context
from engine.exits import InputError, Stopped
from engine.registry import StageParams, stage

QUESTION = "What is the capital of France?"


class Params(StageParams):
    source: str = Field(title="Source", description="A GGUF file or a Hugging Face folder on this machine. The catalogue fills it in.")
    name: str = Field("", title="Name", max_length=120, description="What the model is called in lists and on its card.")


@stage(
    key="import_base",
    title="Import a base model",
    group="models",
    queue="gpu",
    consumes={},
    produces={"model": "hf-model"},
    requires=("torch", "transformers", "gguf"),
)
def run(ctx: Context, params: Params) -> None:
    """Read a base model from a GGUF file or a Hugging Face folder, save it as safetensors and check that it answers."""
    source = Path(params.source)
    if not (source.is_dir() or (source.is_file() and source.suffix.lower() == ".gguf")):
        raise InputError(
            "source",
            "There is no GGUF file or model folder at this place.",
            where=params.source,
            mend="Check that the base model was downloaded completely, then import it again.",
        )
    from engine.lib import models

    models.prepare_libraries()
    import torch
    from transformers import AutoTokenizer

    with ctx.phase("read", "Reading the model"):
        if source.is_file():
            model, tokenizer = models.load_gguf(source)
        else:
            model = models.load_model(source, dtype=torch.bfloat16, device="cpu")
            tokenizer = AutoTokenizer.from_pretrained(str(source), local_files_only=True)
        has_template = bool(tokenizer.chat_template)
        if not has_template:
            tokenizer.chat_template = models.PLAIN_TEMPLATE
            ctx.warn(
                "chat_template",
                "The model brings no chat template, as base models do not. It was given a plain one.",
                where=source.name,
                mend="Nothing to do: training will teach it to answer. Prefer an instruction-tuned model where there is one.",
            )
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        facts = models.describe(model, tokenizer) | {"name": params.name or source.stem, "chat_template": has_template}
    if ctx.stop_requested:
        raise Stopped()

    folder = ctx.work / "model"
    with ctx.phase("save", "Saving as safetensors"):
        models.save_model(model, tokenizer, folder)
        del model

    with ctx.phase("check", "Asking it a question"):
        # the folder that was written is asked, not the model in memory: it is what every later run will load
        model, tokenizer = models.load_model(folder), models.load_tokenizer(folder)
        answer = models.speak(model, tokenizer, QUESTION)
        if not any(letter.isalpha() for letter in answer):
            raise InputError(
                "mute",
                f"The imported model does not answer: asked “{QUESTION}” it said “{answer}”.",
                where=source.name,
                mend="The file may be damaged or of a family that is not supported. Download it again or choose another.",
            )
        ctx.sample("First answer", QUESTION, answer)
    facts |= {"question": QUESTION, "answer": answer, "bytes": sum(p.stat().st_size for p in folder.iterdir())}
    ctx.save("model", folder, kind="hf-model", facts=facts)
    ctx.finish(parameters=facts["parameters"], family=facts["family"], answer=answer)
