"""What a training will need, before it runs: steps, time, memory and disk from a few facts. Light: no machine learning library.

Orders of magnitude, measured at SmolLM2-135M on two cores: a run's own progress is the truth once it has begun.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.stages.sft import Params

# Floating point operations a parameter, for one token
FORWARD = 2
LORA_STEP = 4  # forward, and backward through the activations only: the frozen weights need no gradients

# What the hardware really does (not what its data sheet promises), in operations a second
CORE = 85e9  # a core that multiplies bf16: 350 LoRA tokens a second at 135 M parameters on two cores is a little more
CORE_WITHOUT_BF16 = 25e9
GPU = 40e12  # what small batches get out of a common card

START_SECONDS = 25  # interpreter, libraries, a small model
RUNTIME_BYTES = 700_000_000  # Python, torch, its buffers, the logits of one chunk
SMALL_PARAMETERS = 135e6  # a model that was measured…
SMALL_BYTES_A_TOKEN = 1_100_000  # …and what each token of a batch leaves in memory for the way back, in bf16
SAVING = 4  # times less is left when it is computed anew (gradient checkpointing)…
SLOWER = 1.33  # …which takes this much longer

LORA_SHARE = 26  # an adapter on all linear layers has about this × rank × √parameters weights: 4.8 M at 135 M and rank 16
STATE_BYTES = 16  # of each of them while it is trained: fp32 copy, gradient and two moments
CHECKPOINT_BYTES = 12  # fp32 copy and two moments
CHECKPOINTS_AT_ONCE = 3  # two are kept while the next one is written
# A parameter's bytes on disk: the merged model, its GGUF file in 16 bit while converting, and the one in 4 bit
PIPELINE_BYTES = 4.5


@dataclass(frozen=True)
class Needs:
    """Of a LoRA training. ``tokens`` are all it reads, ``seconds`` to its end, ``memory`` at its peak in bytes,
    ``disk`` in bytes for it and for merging and quantising what it made.
    """

    steps: int
    tokens: int
    seconds: float
    memory: int
    disk: int


def steps_of(pairs: int, settings: "Params") -> tuple[int, int]:
    """(steps of one pass over ``pairs``, steps of the whole training). The stage counts by this too."""
    one_pass = math.ceil(math.ceil(pairs / settings.batch_size) / settings.gradient_accumulation)
    whole = max(1, round(one_pass * settings.epochs)) if pairs else 0
    return one_pass, whole if settings.max_steps is None else min(whole, settings.max_steps)


def eval_every(steps: int, settings: "Params") -> int:
    """Steps between two looks at the validation pairs. The stage looks by this too, and once before the first step."""
    return settings.eval_every or max(1, math.ceil(steps / 4))


def speed(parameters: int, *, cores: int, gpus: int = 0, bf16: bool = True, recomputing: bool = False) -> float:
    """Tokens a second, of all that a LoRA training of a model of that size reads. It uses one GPU."""
    operations = GPU if gpus else max(cores, 1) * (CORE if bf16 else CORE_WITHOUT_BF16)
    return operations / (LORA_STEP * max(parameters, 1)) / (SLOWER if recomputing else 1)


def lora_parameters(parameters: int, rank: int) -> int:
    """Weights of a LoRA adapter on all linear layers of a model of that size."""
    return round(LORA_SHARE * rank * math.sqrt(parameters))


def sft(
    settings: "Params",
    *,
    parameters: int,
    pairs: int,
    validation: int,
    tokens: int,
    longest: int,
    tokens_per_second: float,
    bf16: bool = True,
) -> Needs:
    """For the ``sft`` stage with ``settings`` on ``pairs`` training and ``validation`` pairs.

    ``tokens``: of one pass over the training pairs, questions included; ``longest``: of the longest of them.
    ``bf16``: whether the machine trains in it, else in fp32.
    """
    one_pass, steps = steps_of(pairs, settings)
    read = round(tokens * steps / max(one_pass, 1))
    looks = 1 + steps // eval_every(steps, settings)
    looked_at = looks * min(settings.eval_rows, validation) * tokens / max(pairs, 1)
    seconds = START_SECONDS + (read + looked_at * FORWARD / LORA_STEP) / tokens_per_second

    adapter, width = lora_parameters(parameters, settings.rank), 2 if bf16 else 4  # bytes a weight
    at_once = settings.batch_size * min(longest, settings.max_length)
    # what is remembered grows with depth times width, which grows about as the root of the parameters
    remembered = at_once * SMALL_BYTES_A_TOKEN * math.sqrt(parameters / SMALL_PARAMETERS) * width / 2
    if settings.gradient_checkpointing:
        remembered /= SAVING
    memory = RUNTIME_BYTES + width * (parameters + adapter) + STATE_BYTES * adapter + remembered
    disk = PIPELINE_BYTES * parameters + (CHECKPOINTS_AT_ONCE * CHECKPOINT_BYTES + 4) * adapter
    return Needs(steps, read, seconds, round(memory), round(disk))
