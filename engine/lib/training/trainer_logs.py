"""What a library's trainer says of its steps and batches, in our words."""

import math
from typing import Any

# of a trainer's logs: what is said otherwise, or says nothing to people
UNSAID = ("epoch", "num_tokens", "runtime", "samples_per_second", "steps_per_second", "total_flos", "model_preparation_time")


def plain(logs: dict[str, Any]) -> dict[str, float]:
    """A trainer's logs under our names: ``rewards/margins`` is ``rewards_margins``, ``loss`` is ``train_loss``."""
    values = {}
    for name, value in logs.items():
        bare = name.removeprefix("eval_")
        if bare not in UNSAID and not bare.startswith("logits/") and isinstance(value, int | float) and math.isfinite(value):
            values["train_loss" if name == "loss" else name.replace("/", "_")] = float(value)
    return values


def tokens_of(inputs: Any) -> tuple[int, int]:
    """(tokens that the method's loss is about, all tokens) of one batch, where its form is known; else zeros."""
    import torch

    tensors = {name: value for name, value in inputs.items() if isinstance(value, torch.Tensor)} if hasattr(inputs, "items") else {}
    everything = sum(
        int(mask.sum()) for name, mask in tensors.items() if name.endswith("attention_mask") and not name.startswith("prompt_")
    )
    answer = int(tensors["completion_mask"].sum()) if "completion_mask" in tensors else 0
    return answer + sum(int((labels != -100).sum()) for name, labels in tensors.items() if name.endswith("_labels")), everything


def clear(trainer: Any, mode: str) -> None:
    """Forget what TRL has collected for the next log."""
    for collected in (getattr(trainer, "_metrics", None), getattr(trainer, "_stored_metrics", None)):
        if collected is not None:
            collected[mode].clear()
