"""What a stage will need, before it runs: memory, disk and time from a few facts. Light: no machine learning library.

Orders of magnitude, from measurements on two cores (docs/training.md): a run's own progress is the truth once it has begun.
"""

from dataclasses import asdict, dataclass
from typing import Any

# Work of one processed token, in floating point operations a parameter
FORWARD = 2
LORA_STEP = 4  # forward, and backward through the activations only: the frozen weights need no gradients

# What the hardware really does (not what its data sheet promises), in operations a second
CORE = 85e9  # a core with AVX-512 BF16 or AMX: measured 350 LoRA tokens a second at 135 M parameters on two cores
CORE_WITHOUT_BF16 = 25e9
GPU = 40e12  # a present-day GPU in bf16 at about a quarter of its peak
DECODE_PENALTY = 8  # writing token by token reads all the weights for each step: slower than reading by about this
START_SECONDS = 12  # interpreter, libraries, loading a small model
LOAD_BYTES_PER_SECOND = 400e6
GENERAL_TOKENS = 330  # a general question read twice: once with its reasoning, once for its letter

GB = 1e9


@dataclass(frozen=True)
class Estimate:
    """Bytes and seconds. ``notes`` are the assumptions, in words for the form."""

    memory_bytes: int
    disk_bytes: int
    seconds: float
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def parameters_from_config(layers: int, hidden: int, intermediate: int, vocabulary: int, *, heads: int, kv_heads: int) -> int:
    """Parameters of a Llama-like model with tied embeddings."""
    attention = hidden * hidden * 2 + 2 * hidden * hidden * kv_heads // heads
    return layers * (attention + 3 * hidden * intermediate + 2 * hidden) + vocabulary * hidden + hidden


def lora_parameters(parameters: int, rank: int, *, attention_only: bool = False, layers: int = 0, hidden: int = 0) -> int:
    """Weights of a LoRA adapter. With ``layers`` and ``hidden`` from the shapes, else from the model's size alone."""
    if layers and hidden:
        # inputs and outputs of q, k, v, o (grouped keys and values) and of a gated MLP of 8/3 of the width
        per_layer = rank * hidden * (6.7 if attention_only else 6.7 + 11)
        return round(layers * per_layer)
    share = 0.0006 if attention_only else 0.0022  # of the parameters, for each rank, at about 100 M; less for wider models
    return round(parameters * share * rank * (135e6 / max(parameters, 1)) ** 0.33)


def speed(cores: int, gpus: int = 0, *, bf16: bool = True) -> float:
    """Floating point operations a second of this machine."""
    if gpus:
        return GPU * gpus
    return max(cores, 1) * (CORE if bf16 else CORE_WITHOUT_BF16)


def sft(
    *,
    parameters: int,
    tokens: int,
    epochs: float = 1,
    rank: int = 16,
    batch_size: int = 8,
    longest: int = 512,
    layers: int = 0,
    hidden: int = 0,
    vocabulary: int = 50_000,
    validation_tokens: int = 4000,
    looks: int = 5,
    cores: int = 2,
    gpus: int = 0,
    checkpointing: bool = False,
) -> Estimate:
    """``tokens``: of one pass over the training pairs, questions included. ``longest``: tokens of the longest pair."""
    rate = speed(cores, gpus)
    slower = 1.33 if checkpointing else 1.0
    training = LORA_STEP * parameters * tokens * epochs * slower / rate
    looking = FORWARD * parameters * validation_tokens * looks / rate
    adapter = lora_parameters(parameters, rank, layers=layers, hidden=hidden)
    width, depth = hidden or round((parameters / 400) ** 0.5), layers or 30
    # what each token leaves behind for the way back: about 34 values of the width a layer, 2 bytes each
    kept = batch_size * longest * width * depth * 2 * (4 if checkpointing else 34)
    logits = 256 * vocabulary * 4 * 4
    memory = 2 * parameters + adapter * (2 + 4 + 4 + 8) + kept + logits + 0.6 * GB
    disk = adapter * 4 + 2 * adapter * 12  # the adapter, and two checkpoints with the optimiser's two moments
    notes = (f"about {rate / (LORA_STEP * parameters):,.0f} tokens a second", "bf16 weights, LoRA")
    return Estimate(round(memory), round(disk), START_SECONDS + load_seconds(parameters) + training + looking, notes)


def merge(*, parameters: int, cores: int = 2, gpus: int = 0) -> Estimate:
    """Merging computes in fp32 and keeps bf16."""
    return Estimate(round(10 * parameters + 0.6 * GB), 2 * parameters, START_SECONDS + 4 * load_seconds(parameters))


BITS = {"q4_k_m": 6.2, "q8_0": 8.5, "f16": 16.0}  # a weight; q4_k_m of large models comes nearer to 4.8


def quantize(*, parameters: int, level: str = "q4_k_m", cores: int = 2, gpus: int = 0) -> Estimate:
    """Conversion writes the whole model in f16 beside the result."""
    bits = 4.85 if level == "q4_k_m" and parameters > 1e9 else BITS[level]
    result = parameters * bits / 8
    seconds = START_SECONDS + parameters * 2 / 60e6 + parameters / (50e6 * max(cores, 1)) + 2 * load_seconds(parameters)
    return Estimate(round(4 * parameters + 0.6 * GB), round(result + 2 * parameters), seconds)


def evaluate(
    *,
    parameters: int,
    pairs: int = 75,
    tokens: int | None = None,
    answers: int = 75,
    answer_tokens: int = 64,
    general_questions: int = 114,
    with_adapter: bool = True,
    batch_size: int = 16,
    hidden: int = 0,
    layers: int = 0,
    cores: int = 2,
    gpus: int = 0,
) -> Estimate:
    """``tokens``: of all test pairs. Twice the work with an adapter: before and after."""
    rate = speed(cores, gpus)
    read = (tokens if tokens is not None else pairs * 120) + (general_questions or 281) * GENERAL_TOKENS
    written = min(answers, pairs) * answer_tokens
    work = FORWARD * parameters * (read + written * DECODE_PENALTY / 2)
    width, depth = hidden or round((parameters / 400) ** 0.5), layers or 30
    memory = 2 * parameters + 0.8 * GB + 2 * batch_size * 512 * width * depth * 2
    times = 2 if with_adapter else 1
    return Estimate(round(memory), 2_000_000, START_SECONDS + 8 + load_seconds(parameters) + times * work / rate)


def import_base(*, parameters: int, cores: int = 2, gpus: int = 0) -> Estimate:
    """Reading a GGUF file unpacks it to bf16."""
    return Estimate(round(6 * parameters + 0.6 * GB), 2 * parameters, START_SECONDS + 4 + parameters / 40e6)


def load_seconds(parameters: int) -> float:
    """Reading bf16 weights from disk."""
    return parameters * 2 / LOAD_BYTES_PER_SECOND
