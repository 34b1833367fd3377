"""How long a training will take and what it needs, before it starts: from what this machine did last, else from
arithmetic.
"""

import math
from dataclasses import dataclass
from statistics import median

from engine import probes
from runs.models import MetricPoint, Run, Status
from training.preflight import Shape

FLOP_A_PARAMETER = 4  # a LoRA step's work a token: forward, and backward without the weights' own gradients
CPU_FLOPS_A_CORE = 60e9  # in bf16, as measured; a processor without it is two to three times slower
GPU_FLOPS = 40e12  # what small batches get out of a common card
RUNTIME_BYTES = 1_200_000_000  # Python, torch and its buffers
SMALL_PARAMETERS = 135e6  # a model that was measured…
SMALL_BYTES_A_TOKEN = 600_000  # …and what it remembers of each token for the way back
SAVING = 6  # how much less it remembers when it recomputes (gradient checkpointing)
START_SECONDS = 25
ROWS_BEHIND = 50


@dataclass(frozen=True)
class Estimate:
    steps: int
    tokens: int
    seconds: float
    memory: int
    disk: int
    basis: str

    @property
    def fits(self) -> bool:
        """On the largest GPU where there is one, else in this machine's memory."""
        gpus = [gpu["memory_bytes"] for gpu in probes.gpus()]
        return bool(self.memory <= (max(gpus) if gpus else probes.memory()["total"]))


def estimate(*, shape: Shape, parameters: int, params: dict[str, object], base_key: str = "") -> Estimate:
    """For the ``sft`` stage with ``params`` on this machine."""
    epochs, batch = _number(params, "epochs", 1), int(_number(params, "batch_size", 8))
    accumulate, limit = int(_number(params, "gradient_accumulation", 1)), _number(params, "max_steps", 0)
    full = max(1, round(math.ceil(math.ceil(shape.train / batch) / accumulate) * epochs)) if shape.train else 0
    steps = min(full, int(limit)) if limit else full
    tokens = int(shape.tokens * epochs * steps / full) if full else 0
    measured = measured_speed(base_key) if base_key else None
    gpus = probes.gpus()
    speed = measured or (GPU_FLOPS if gpus else CPU_FLOPS_A_CORE * probes.cores()) / (FLOP_A_PARAMETER * max(parameters, 1))
    at_once = batch * min(shape.longest, int(_number(params, "max_length", 1024)))
    # what is remembered grows with depth times width, which grows about as the root of the parameters
    remembered = at_once * SMALL_BYTES_A_TOKEN * math.sqrt(parameters / SMALL_PARAMETERS)
    if params.get("gradient_checkpointing"):
        remembered /= SAVING
    memory = RUNTIME_BYTES + 2 * parameters + int(remembered)
    basis = "the last training of this model here" if measured else "arithmetic; the first training here will make it exact"
    # the merged model, its GGUF in two precisions while converting, checkpoints
    return Estimate(steps, tokens, START_SECONDS + tokens / speed, memory, int(4.5 * parameters) + 200_000_000, basis)


def measured_speed(base_key: str) -> float | None:
    """All tokens a second of the last finished training on this base model, or None."""
    run = Run.objects.filter(pipelines__base_key=base_key, stage="sft", status=Status.SUCCEEDED).order_by("-ended_at").first()
    if run is None:
        return None
    speeds = MetricPoint.objects.filter(run=run, metric="all_tokens_per_second").values_list("value", flat=True)[:ROWS_BEHIND]
    return median(speeds) if speeds else None


def _number(params: dict[str, object], name: str, default: float) -> float:
    value = params.get(name)
    return float(value) if isinstance(value, int | float) else default
