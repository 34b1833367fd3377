"""What a training will need, before it runs: steps, time, memory and disk from a few facts. Light: no machine learning library.

Orders of magnitude, measured at SmolLM2-135M on two cores: a run's own progress is the truth once it has begun.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.lib.training.settings import LoopParams

# Floating point operations a parameter, for one token
FORWARD = 2
LORA_STEP = 4  # forward, and backward through the activations only: the frozen weights need no gradients
FULL_STEP = 6  # and backward through the weights

# What the hardware really does (not what its data sheet promises), in operations a second
CORE = 85e9  # a core that multiplies bf16: 350 LoRA tokens a second at 135 M parameters on two cores is a little more
CORE_WITHOUT_BF16 = 25e9
GPU = 40e12  # what small batches get out of a common card

# Answers are written a token after another, all of a batch at once: launching what computes a place takes so long at the small model's
# size, and computing it this many times longer than reading it would
PLACE_SECONDS = 0.04
PLACE_SECONDS_GPU = 0.025
WRITING = 2

START_SECONDS = 25  # interpreter, libraries, a small model
RUNTIME_BYTES = 700_000_000  # Python, torch, its buffers, the logits of one chunk
SMALL_PARAMETERS = 135e6  # a model that was measured…
SMALL_BYTES_A_TOKEN = 1_100_000  # …and what each token of a batch leaves in memory for the way back, in bf16
SAVING = 4  # times less is left when it is computed anew (gradient checkpointing)…
SLOWER = 1.33  # …which takes this much longer

FOUR_BITS = 0.6  # bytes a weight held in 4 bits: the embeddings and the scales of each block stay larger (QLoRA, Dettmers et al. 2023)
EIGHT_BITS = 1.1
UNPACKING = 1.4  # times longer, for such weights are unpacked in every layer

LORA_SHARE = 26  # an adapter on all linear layers has about this × rank × √parameters weights: 4.8 M at 135 M and rank 16
SMALL_SHARE = 5  # what is smaller than LoRA has about this × √parameters: IA3 58,000 at 135 M
STATE_BYTES = 16  # of each weight while it is trained: fp32 copy, gradient and two moments…
STATE_BYTES_8_BIT = 10  # …which take a byte each in 8 bits, and a scale for 256 of them
CHECKPOINT_BYTES = 12  # fp32 copy and two moments; less in 8 bits
CHECKPOINTS_AT_ONCE = 3  # two are kept while the next one is written
# A parameter's bytes on disk: the merged model, its GGUF file in 16 bit while converting, and the one in 4 bit
PIPELINE_BYTES = 4.5


@dataclass(frozen=True)
class Work:
    """What a method does beyond LoRA's plain step. ``everything``: it trains all weights. ``bits`` of a frozen weight: 4, 8 or 16.
    ``answers`` it reads to each question; ``reference``: reads each once more without learning, as the model began. ``teacher``: parameters
    of a model that reads along.
    """

    everything: bool = False
    bits: int = 16
    answers: int = 1
    reference: bool = False
    teacher: int = 0

    def operations(self, parameters: int) -> float:
        """A parameter and a token."""
        reading = FORWARD * (self.reference + self.teacher / max(parameters, 1))
        return (FULL_STEP if self.everything else LORA_STEP) + reading


LORA = Work()


@dataclass(frozen=True)
class Needs:
    """Of a training. ``tokens`` are all it reads, ``seconds`` to its end, ``memory`` at its peak in bytes,
    ``disk`` in bytes for it and for merging and quantising what it made.
    """

    steps: int
    tokens: int
    seconds: float
    memory: int
    disk: int


def steps_of(pairs: int, settings: "LoopParams") -> tuple[int, int]:
    """(steps of one pass over ``pairs``, steps of the whole training). The stage counts by this too."""
    # TRL leaves questions out of a pass that do not fill a batch (its RepeatSampler), where the model writes several answers to each
    batches = pairs // settings.batch_size if hasattr(settings, "generations") else math.ceil(pairs / settings.batch_size)
    one_pass = math.ceil(batches / settings.gradient_accumulation)
    whole = max(1, round(one_pass * settings.epochs)) if pairs else 0
    return one_pass, whole if settings.max_steps is None else min(whole, settings.max_steps)


def places(settings: Any, *, steps: int, looks: int, validation: int, work: Work) -> float:
    """How many tokens the model writes one after another, all answers of a batch at once, while it is trained and looked at."""
    if hasattr(settings, "own_tokens"):
        return steps * settings.on_policy * settings.own_tokens
    if not hasattr(settings, "generations"):
        return 0
    at_once = settings.batch_size * work.answers
    looked_at = looks * math.ceil(min(settings.eval_rows, validation) / at_once)
    return settings.max_new_tokens * (steps * settings.gradient_accumulation + looked_at)


def eval_every(steps: int, settings: "LoopParams") -> int:
    """Steps between two looks at the validation pairs. The stage looks by this too, and once before the first step."""
    return settings.eval_every or max(1, math.ceil(steps / 4))


def operations_a_second(cores: int, *, gpus: int = 0, bf16: bool = True) -> float:
    """Of floating point, that a training gets out of this hardware. It uses one GPU."""
    return GPU if gpus else max(cores, 1) * (CORE if bf16 else CORE_WITHOUT_BF16)


def speed(parameters: int, *, cores: int, gpus: int = 0, bf16: bool = True, recomputing: bool = False, work: Work = LORA) -> float:
    """Tokens a second, of all that a training of a model of that size reads."""
    slower = (SLOWER if recomputing else 1) * (UNPACKING if work.bits < 16 else 1)
    return operations_a_second(cores, gpus=gpus, bf16=bf16) / (work.operations(parameters) * max(parameters, 1)) / slower


def place_seconds(parameters: int, answers: int, *, cores: int, gpus: int = 0, bf16: bool = True) -> float:
    """What a token's place takes where a model of that size writes so many answers at once. Launching grows with depth, hence about as
    the root of the parameters.
    """
    launching = (PLACE_SECONDS_GPU if gpus else PLACE_SECONDS) * math.sqrt(parameters / SMALL_PARAMETERS)
    return launching + WRITING * FORWARD * answers * parameters / operations_a_second(cores, gpus=gpus, bf16=bf16)


def lora_parameters(parameters: int, rank: int) -> int:
    """Weights of a LoRA adapter on all linear layers of a model of that size."""
    return round(LORA_SHARE * rank * math.sqrt(parameters))


def trained_parameters(settings: "LoopParams", parameters: int, work: Work) -> int:
    """How many weights a training moves."""
    if work.everything:
        return parameters
    rank = getattr(settings, "rank", None)
    return round(SMALL_SHARE * math.sqrt(parameters)) if rank is None else lora_parameters(parameters, rank)


def training(
    settings: "LoopParams",
    *,
    parameters: int,
    pairs: int,
    validation: int,
    tokens: int,
    longest: int,
    tokens_per_second: float,
    seconds_a_place: float = 0.0,
    bf16: bool = True,
    work: Work = LORA,
) -> Needs:
    """For a training stage with ``settings`` on ``pairs`` training and ``validation`` pairs.

    ``tokens``: of one pass over the training pairs, questions included; ``longest``: of the longest of them; both with one answer to each
    question. ``bf16``: whether the machine trains in it, else in fp32. ``tokens_per_second``: of all that this method reads;
    ``seconds_a_place``: of what the model writes itself (`place_seconds`), where that speed leaves writing out.
    """
    one_pass, steps = steps_of(pairs, settings)
    tokens *= work.answers
    read = round(tokens * steps / max(one_pass, 1))
    looks = 1 + steps // eval_every(steps, settings)
    looked_at = looks * min(settings.eval_rows, validation) * tokens / max(pairs, 1)
    seconds = START_SECONDS + (read + looked_at * FORWARD / work.operations(parameters)) / tokens_per_second
    seconds += seconds_a_place * places(settings, steps=steps, looks=looks, validation=validation, work=work)

    trained, width = trained_parameters(settings, parameters, work), 2 if bf16 else 4  # bytes a weight
    at_once = work.answers * settings.batch_size * min(longest, settings.max_length)
    # what is remembered grows with depth times width, which grows about as the root of the parameters
    remembered = at_once * SMALL_BYTES_A_TOKEN * math.sqrt(parameters / SMALL_PARAMETERS) * width / 2
    if settings.gradient_checkpointing:
        remembered /= SAVING
    held = {4: FOUR_BITS, 8: EIGHT_BITS}.get(work.bits, width)
    if work.everything and not bf16:
        held = 0  # fp32 weights are their own masters
    beside = 0 if work.everything else width * trained
    state = (STATE_BYTES_8_BIT if settings.optimizer == "adamw_8bit" else STATE_BYTES) * trained
    memory = RUNTIME_BYTES + held * parameters + beside + width * work.teacher + state + remembered
    return Needs(steps, read, seconds, round(memory), disk_bytes(parameters, trained))


def disk_bytes(parameters: int, trained: int = 0) -> int:
    """What checkpoints and result of a training of ``trained`` weights take on the disk, and merging and quantising the model."""
    return round(PIPELINE_BYTES * parameters + (CHECKPOINTS_AT_ONCE * CHECKPOINT_BYTES + 4) * trained)
