"""The environment an engine starts with: an allow-list, never the studio's secrets."""

import os
from pathlib import Path

from django.conf import settings

from engine import registry
from runs.models import Run
from runs.registries import endpoint_access

PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS",
    "HF_HOME", "HF_HUB_OFFLINE", "STUDIO_CONVERTER", "STUDIO_FAULT", "STUDIO_FAULT_ONCE", "STUDIO_FAULT_HOLD",
)  # fmt: skip


def engine_environment(run: Run) -> dict[str, str]:
    """Variables for the engine of ``run``, with access to the endpoints its stage declares."""
    variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    variables |= {
        "PYTHONPATH": str(Path(settings.BASE_DIR)),
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    if run.device:
        variables["CUDA_VISIBLE_DEVICES"] = run.device  # one slot a GPU: it sees no other's
    for name in registry.get(run.stage).endpoints:
        access = endpoint_access(name, run)
        prefix = f"STUDIO_{name.upper()}_"
        variables |= {prefix + "URL": access.url, prefix + "TOKEN": access.token, prefix + "MODEL": access.model}
        variables[prefix + "REACH"] = access.reach
    return variables
