"""Several processes that train one model: each reads its share of a step's rows, and all move by the sum of the gradients.

Two ways to hold the weights. Copied: every process has all of them, and gradients are summed over the processes (data parallel).
Sharded: each has a part of every layer and fetches the rest when the layer's turn comes (torch's ``fully_shard``; Zhao et al. 2023).
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from engine.exits import InputError
from engine.ranks import RENDEZVOUS, is_member


@dataclass(frozen=True)
class Team:
    """This process's place among those that train together: number ``rank`` of ``size``."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks for all."""
        return self.rank == 0

    def share(self, rows: Sequence[Any]) -> list[Any]:
        """This process's part of ``rows``: every ``size``-th."""
        return list(rows[self.rank :: self.size])

    def total(self, *values: float) -> list[float]:
        """The sum of each of ``values`` over all processes."""
        if self.size == 1:
            return list(values)
        import torch
        from torch import distributed

        sums = torch.tensor(values, dtype=torch.float64, device=_device())
        distributed.all_reduce(sums)
        return list(sums.tolist())

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` holds in any of the processes: what one decides, all must do."""
        return self.total(float(flag))[0] > 0

    def sum_gradients(self, weights: Iterable[Any]) -> None:
        """Make each gradient the sum over all processes. Those of sharded weights are already: that is how a shard gets its own."""
        if self.size == 1:
            return
        from torch import distributed

        for weight in weights:
            if weight.grad is not None and not is_sharded(weight):
                distributed.all_reduce(weight.grad)

    def clip(self, weights: Iterable[Any], limit: float) -> float:
        """The norm of all gradients together, before they were shortened to ``limit``."""
        import torch

        weights = list(weights)
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if not any(is_sharded(gradient) for gradient in gradients):
            return float(torch.nn.utils.clip_grad_norm_(weights, limit))
        copied = sum(float(gradient.norm() ** 2) for gradient in gradients if not is_sharded(gradient))
        parts = sum(float(gradient.to_local().norm() ** 2) for gradient in gradients if is_sharded(gradient))
        norm = float((copied + self.total(parts)[0]) ** 0.5)
        for gradient in gradients:
            gradient.mul_(min(1.0, limit / (norm + 1e-6)))
        return norm

    def gather(self, value: Any) -> list[Any]:
        """``value`` of each process, in their order."""
        if self.size == 1:
            return [value]
        from torch import distributed

        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, value)
        return found


@cache
def join() -> Team:
    """This process's team: alone, or with those that were started with it. The first call waits for the others."""
    if not is_member():
        return Team()
    import torch
    from torch import distributed

    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    meeting = os.environ.get(RENDEZVOUS)
    distributed.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo",
        init_method=f"file://{meeting}" if meeting else "env://",
        rank=rank,
        world_size=size,
    )
    return Team(rank, size)


def shard(model: Any) -> None:
    """Have each process of the team keep a part of every layer of ``model``. Raises ``InputError`` for one process alone.

    Embeddings and the output head stay whole: they often are one weight, which cannot be in two parts of the model.
    """
    team = join()
    if team.size == 1:
        raise InputError("processes", "A model can only be split over several processes.", where="processes", mend="Set it to two or more.")
    import torch
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    from engine.lib import scoring

    body = scoring.backbone(model)
    split = {weight for layer in layers(body) for weight in layer.parameters()}
    common: dict[str, Any] = {
        "mesh": init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (team.size,)),
        "mp_policy": MixedPrecisionPolicy(reduce_dtype=torch.float32),
        "ignored_params": {weight for weight in model.parameters() if weight not in split},
    }
    for module in (*layers(body), body):
        part = fully_shard(module, **common)
        part.set_gradient_divide_factor(1.0)  # sums, as everywhere here
        part.set_force_sum_reduction_for_comms(True)


def layers(body: Any) -> list[Any]:
    """The decoder layers of ``body``: its longest list of modules."""
    import torch

    lists = [module for module in body.modules() if isinstance(module, torch.nn.ModuleList)]
    return max((list(one) for one in lists), key=len, default=[])


def is_sharded(value: Any) -> bool:
    return hasattr(value, "full_tensor")


def apart(weights: Sequence[Any]) -> list[list[Any]]:
    """Sharded and whole ``weights`` in a list each, which an optimiser cannot move at once; without empty lists."""
    found = [[weight for weight in weights if is_sharded(weight) is sharded] for sharded in (True, False)]
    return [part for part in found if part]


def kept_here(weight: Any) -> int:
    """How many numbers of ``weight`` this process holds."""
    return int((weight.to_local() if is_sharded(weight) else weight).numel())


def whole(value: Any) -> Any:
    """``value`` with the parts of all processes together. Every process of the team has to ask."""
    return value.full_tensor() if is_sharded(value) else value


def like(value: Any, weight: Any) -> Any:
    """``value``, which every process has whole, in the parts in which ``weight`` is kept. Nothing is sent: each cuts out its own."""
    if not is_sharded(weight):
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value.to(weight.device), weight.device_mesh, weight.placements, src_data_rank=None)


def _device() -> str:
    import torch

    return f"cuda:{torch.cuda.current_device()}" if torch.cuda.is_available() else "cpu"
