"""One model made of two: checks before, and that what is kept answers the same."""

from typing import Any

from engine import manifest
from engine.context import Context
from engine.exits import InputError

# Rounding the merged weights to bf16 moves the logits by about 1% of their spread; a wrong or missing adapter by far more.
MOST_DIFFERENCE = 0.1
MOST_KL = 0.02
REPLY = "Here is what matters most. First, read the question with care; then answer it from what is written, and say where it is written."


def check_base(ctx: Context) -> None:
    """Raise ``InputError`` when the adapter says that it was trained on another model."""
    trained_on = manifest.read(ctx.inputs["adapter"]).facts.get("base")
    if trained_on and trained_on != manifest.read(ctx.inputs["model"]).sha256:
        raise InputError(
            "adapter_mismatch",
            "The adapter was trained on another model.",
            where="adapter",
            mend="Choose the base model that the adapter was trained on.",
        )


def check_same(found: dict[str, float]) -> None:
    """Raise ``InputError`` when merged and unmerged logits, as `parity.compare_logits` found, differ by more than rounding does."""
    if found["difference"] > MOST_DIFFERENCE or found["kl"] > MOST_KL:
        raise InputError(
            "merge_differs",
            f"The merged model does not answer like the model with its adapter "
            f"(logits differ by {found['difference']:.1%} of their spread).",
            where="adapter",
            mend="Use the model with its adapter unmerged, and report this: it should not happen.",
        )


def conversation(tokenizer: Any, prompt: str, device: Any) -> Any:
    """The ids (1 × tokens) of ``prompt`` with an answer, over which models are compared."""
    import torch

    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": REPLY}]
    return torch.tensor([list(tokenizer.apply_chat_template(messages, return_dict=False))], device=device)
