"""AdamW and what it remembers of each weight, in 32 or 8 bits. Torch is imported inside."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.exits import InputError
from engine.lib.training.settings import LoopParams

ADAMW, ADAMW_8BIT = "adamw", "adamw_8bit"
WORDS = {ADAMW: "AdamW (fused)", ADAMW_8BIT: "AdamW (8-bit)"}
FOR_TRAINERS = {ADAMW: "adamw_torch_fused", ADAMW_8BIT: "adamw_8bit"}  # what transformers' trainers call them


def check(optimizer: str, packages: Mapping[str, str], *, sharded: bool) -> None:
    """Raise ``InputError`` for an optimiser that cannot be used: for want of its package, or on weights split over processes."""
    if optimizer == ADAMW_8BIT and sharded:
        raise InputError(
            "optimizer",
            "The 8-bit optimiser cannot move weights that are split over several GPUs.",
            where="optimizer",
            mend="Take AdamW: what it remembers is split over the GPUs as well.",
        )
    if optimizer == ADAMW_8BIT and "bitsandbytes" not in packages:
        raise InputError(
            "optimizer",
            "The 8-bit optimiser needs bitsandbytes, which is not installed here.",
            where="optimizer",
            mend="Take AdamW, or install bitsandbytes.",
        )


def make(optimizer: str, params: LoopParams, groups: Sequence[Mapping[str, Any]], in_32_bits: Sequence[Any] = ()) -> Any:
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) for the parameter ``groups``.

    The 8-bit one (Dettmers et al. 2022, arXiv 2110.02861) remembers in 32 bits what it knows of ``in_32_bits``, which the paper found
    embeddings to need, and of weights of fewer than 4,096 numbers.
    """
    import torch

    rates = {"lr": params.learning_rate, "weight_decay": params.weight_decay}
    if optimizer == ADAMW:  # one pass over memory: on two cores it took an eighth of the time that ``foreach`` took
        return torch.optim.AdamW(groups, fused=True, **rates)
    import bitsandbytes

    bitsandbytes.optim.GlobalOptimManager.get_instance().override_config(list(in_32_bits), "optim_bits", 32)
    return bitsandbytes.optim.AdamW8bit(groups, **rates)


def forget(optimizer: str) -> None:
    """Have bitsandbytes forget the weights that it was told to remember in 32 bits: they hold on to the model that they belong to."""
    if optimizer == ADAMW_8BIT:
        import bitsandbytes

        bitsandbytes.optim.GlobalOptimManager.get_instance().initialize()


def embeddings(model: Any, weights: Mapping[str, Any]) -> list[Any]:
    """Those of ``weights``, a tensor a name, that are embeddings of ``model``."""
    import torch

    names = (f"{name}.weight" for name, module in model.named_modules() if isinstance(module, torch.nn.Embedding))
    return [weights[name] for name in names if name in weights]
