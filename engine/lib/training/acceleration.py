"""What computes a training: number format, attention, layers and optimiser, chosen by what the machine has. Torch is imported inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine import probes
from engine.context import Context
from engine.lib import scoring
from engine.lib.training import kernels, optimizers
from engine.lib.training.settings import LoopParams

BF16, FP32 = "bf16", "fp32"
AMPERE = probes.AMPERE  # FlashAttention 2 asks for it as well
FLASH_VERSION = (2, 3, 3)  # the oldest that transformers takes
ABOUT = "computing"  # what the log says of it is shown among the facts on the run's page


@dataclass(frozen=True)
class Machine:
    """What a training computes on. ``gpu``: its name, empty for the processor; ``capability``: what CUDA calls its compute capability.
    ``packages``: version of each optional package that is installed.
    """

    gpu: str = ""
    capability: tuple[int, int] = (0, 0)
    cores: int = 1
    cpu_has_bf16: bool = False
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.gpu or f"{self.cores} processor core{'s' if self.cores != 1 else ''}"

    @property
    def precision(self) -> str:
        """The faster number format: bf16 where the hardware multiplies in it, else fp32. What only emulates bf16 is slower in it."""
        return BF16 if (self.capability >= AMPERE if self.gpu else self.cpu_has_bf16) else FP32


@dataclass(frozen=True)
class Choice:
    """``precision`` is bf16 or fp32, ``attention`` as transformers calls it, ``optimizer`` as the settings do."""

    precision: str
    attention: str
    liger: bool
    optimizer: str

    def told(self, machine: Machine) -> str:
        """In words, for the run's page."""
        attention = kernels.WORDS.get(self.attention, self.attention)
        liger = ", layers: Liger" if self.liger else ""
        return (
            f"Computed in {self.precision} on {machine.name}, attention: {attention}{liger}, optimiser: {optimizers.WORDS[self.optimizer]}"
        )


def this_machine() -> Machine:
    """The GPU that PyTorch computes on in this process, or the processor."""
    import torch

    if not torch.cuda.is_available():
        return Machine(cores=probes.cores(), cpu_has_bf16=probes.cpu_has_bf16(), packages=probes.packages())
    return Machine(torch.cuda.get_device_name(), torch.cuda.get_device_capability(), packages=probes.packages())


def choose(machine: Machine, *, precision: str, optimizer: str, sharded: bool = False) -> Choice:
    """The fastest that ``machine`` has for a model held in ``precision``. ``sharded``: its weights are split over processes.

    Raises ``InputError`` for an optimiser that cannot be used so.
    """
    optimizers.check(optimizer, machine.packages, sharded=sharded)
    able = bool(machine.gpu) and machine.capability >= AMPERE
    flash = able and precision == BF16 and version_of(machine.packages.get("flash-attn", "0")) >= FLASH_VERSION
    return Choice(precision, kernels.FLASH if flash else kernels.SDPA, able and "liger-kernel" in machine.packages, optimizer)


def version_of(text: str) -> tuple[int, ...]:
    """The first three numbers of a version: "2.8.0.post2" is (2, 8, 0)."""
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in text.split(".")[:3])


def accelerate(ctx: Context, params: LoopParams, model: Any) -> Choice:
    """Have ``model``, which is loaded and has all that is trained, compute with the fastest that is here. Tells and returns what that is.

    Raises ``InputError`` for an optimiser that cannot be used, and for kernels that compute something else than PyTorch.
    """
    machine = this_machine()
    held = str(scoring.plain(model).dtype).removeprefix("torch.")
    precision = {"bfloat16": BF16, "float32": FP32}.get(held, held)
    choice = choose(machine, precision=precision, optimizer=params.optimizer, sharded=bool(getattr(params, "shard", False)))
    attention, liger = kernels.put_in(ctx, model, choice.attention, choice.liger)
    choice = Choice(precision, attention, liger, choice.optimizer)
    ctx.log(choice.told(machine), about=ABOUT)
    return choice
