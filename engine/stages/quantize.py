"""Turn a model into one small GGUF file for llama.cpp, Ollama, LM Studio and `engine serve`."""

import shutil
from typing import Any, Literal

from pydantic import Field

from engine import manifest
from engine.context import Context
from engine.exits import InputError, Stopped
from engine.registry import StageParams, stage

WORSE_BY = 2.5  # nats a token by which the file's answer may be less likely than the model's own, in the model's eyes
ANSWER = 40  # tokens


class Params(StageParams):
    level: Literal["q4_k_m", "q8_0", "f16"] = Field(
        "q4_k_m",
        title="Level",
        description="Smaller is faster and less exact. q4_k_m: about a third of the size, right for most uses. "
        "q8_0: half the size, hardly any loss. f16: full size, exact.",
    )
    prompt: str = Field(
        "What is the capital of France?",
        min_length=1,
        max_length=2000,
        title="Golden question",
        description="Asked of the model and of the finished file; the file is kept only when it answers sensibly.",
        json_schema_extra={"advanced": True},
    )


@stage(
    key="quantize",
    title="Quantise to GGUF",
    group="compress",
    queue="gpu",
    consumes={"model": "hf-model"},
    produces={"model": "gguf-model"},
    requires=("llama_cpp", "torch", "transformers"),
)
def run(ctx: Context, params: Params) -> None:
    """Convert a Hugging Face model to GGUF, quantise it and check that the file answers like the model."""
    from engine.lib import gguf_files, models, parity
    from engine.probes import cores, disk

    models.prepare_libraries()
    gguf_files.converter_folder()  # missing? say so before anything is computed
    source = manifest.read(ctx.inputs["model"])
    need, free = int(source.bytes * 1.7), disk(ctx.work)["free"]
    if free < need:
        raise InputError(
            "disk",
            f"Quantising needs about {need / 1e9:.1f} GB of disk, {free / 1e9:.1f} GB are free.",
            where=str(ctx.work),
            mend="Free some space and start again.",
        )

    whole, folder = ctx.work / "f16.gguf", ctx.work / "model"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with ctx.phase("convert", "Converting to GGUF"):
        gguf_files.convert(ctx.inputs["model"], whole, ctx.work / "convert.log")
    if ctx.stop_requested:
        raise Stopped()

    path = folder / f"model-{params.level}.gguf"
    with ctx.phase("quantize", "Quantising"):
        if params.level == "f16":
            whole.rename(path)
        else:
            gguf_files.quantise(whole, path, params.level, cores())
            whole.unlink()
    if ctx.stop_requested:
        raise Stopped()

    with ctx.phase("check", "Comparing with the model"):
        model, tokenizer = models.load_model(ctx.inputs["model"]), models.load_tokenizer(ctx.inputs["model"])
        facts = check(model, tokenizer, gguf_files.open_file(path, threads=cores()), params.prompt, gguf_files, models, parity)
        if facts["token_agreement"] < 0.5:
            ctx.warn(
                "quantised_differs",
                f"Asked “{params.prompt}” the {params.level} file says something else than the model: “{facts['answer']}” "
                f"instead of “{facts['model_answer']}”.",
                where=params.level, mend="Small models lose much at 4 bits: compare their scores, or choose q8_0.",
            )  # fmt: skip
        ctx.sample(f"The {params.level} file", params.prompt, facts["answer"])
    size = path.stat().st_size
    facts |= {
        "level": params.level, "bytes": size, "source_bytes": source.bytes, "prompt": params.prompt, "file": path.name,
        "file_sha256": manifest.file_sha256(path), "source": source.sha256,
        "parameters": source.facts.get("parameters"), "name": source.facts.get("name", ""),
    }  # fmt: skip
    ctx.save("model", folder, kind="gguf-model", facts=facts)
    ctx.finish(bytes=size, source_bytes=source.bytes, answer=facts["answer"], token_agreement=facts["token_agreement"])


def check(model: Any, tokenizer: Any, llama: Any, question: str, gguf_files: Any, models: Any, parity: Any) -> dict[str, Any]:
    """Ask both the same and compare. Raises ``InputError`` when the file is silent or its words make no sense to the model."""
    messages = [{"role": "user", "content": question}]
    prompt = list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))
    own = models.greedy(model, tokenizer, [messages], max_new_tokens=ANSWER)[0]
    theirs = gguf_files.greedy_tokens(llama, prompt, max_new_tokens=ANSWER, ends=models.end_tokens(model, tokenizer))
    answer = gguf_files.chat(llama, question, max_new_tokens=ANSWER)
    rendered = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    same_prompt = list(llama.tokenize(rendered.encode(), add_bos=False, special=True)) == prompt

    own_text = tokenizer.decode(own, skip_special_tokens=True).strip()
    own_loss, their_loss = surprise(model, prompt, own), surprise(model, prompt, tokenizer(answer, add_special_tokens=False)["input_ids"])
    if (own_text and not answer) or their_loss > own_loss + WORSE_BY:
        raise InputError(
            "broken_export",
            f"The quantised file does not answer sensibly: asked “{question}” it said “{answer}”.",
            where="model",
            mend="Choose a less strong level, such as q8_0.",
        )
    return {
        "answer": answer, "model_answer": own_text, "token_agreement": parity.common_start(own, theirs),
        "prompt_tokens_equal": same_prompt, "answer_loss": their_loss, "model_answer_loss": own_loss,
    }  # fmt: skip


def surprise(model: Any, prompt: list[int], answer: list[int]) -> float:
    """Loss per token of ``answer`` after ``prompt``, by the model; 0 for an empty answer."""
    import torch
    from torch.nn.functional import cross_entropy

    if not answer:
        return 0.0
    ids = torch.tensor([prompt + answer], device=model.device)
    with torch.inference_mode():
        logits = model(input_ids=ids, logits_to_keep=len(answer) + 1).logits[0, :-1].float()
    return float(cross_entropy(logits, ids[0, len(prompt) :]))
