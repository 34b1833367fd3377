"""The Django side stays light: torch belongs to engines alone."""

import os
import subprocess
import sys

from tests.materials import ROOT

HEAVY = ("torch", "transformers", "peft", "trl", "llama_cpp", "sentence_transformers", "datasets", "bitsandbytes", "lm_eval")


def loaded_by(code: str) -> set[str]:
    """Which of the heavy libraries an interpreter has loaded after running ``code``."""
    code += f"\nimport sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return set(answer.stdout.split())


def test_the_web_side_and_the_workers_load_nothing_heavy() -> None:
    assert (
        loaded_by("import dslm_studio.asgi, dslm_studio.urls, dslm_studio.celery; dslm_studio.celery.app.loader.import_default_modules()")
        == set()
    )


def test_declaring_every_stage_loads_nothing_heavy() -> None:
    assert loaded_by("from engine import registry; assert registry.all_stages()") == set()
