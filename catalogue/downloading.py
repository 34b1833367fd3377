"""Base models from the Hugging Face hub: safetensors, configuration and tokenizer only, never code or pickles."""

import logging
import os
import threading
from pathlib import Path

from django.db import close_old_connections, connection, transaction
from django.utils import timezone

from catalogue.families import load
from catalogue.folders import FolderError, inspect
from catalogue.models import BaseModelDownload
from catalogue.selectors import download_folder
from catalogue.services import CatalogueError
from engine import probes
from projects import audit
from projects.models import User

log = logging.getLogger(__name__)

WANTED = ["*.safetensors", "*.safetensors.index.json", "*.json", "tokenizer.model", "*.jinja", "LICENSE*", "README.md"]
PULSE = 3.0
State = BaseModelDownload.State


def hub_refusal() -> str:
    """Why nothing can be downloaded on this machine, or an empty string."""
    if os.environ.get("HF_HUB_OFFLINE", "").strip().lower() in {"1", "true", "yes", "on"}:
        return "This studio is set to stay offline (HF_HUB_OFFLINE). Copy the model's folder here and add it below."
    return ""


def base_model_download(*, key: str, by: User) -> BaseModelDownload:
    """Start downloading; if that is under way already, it goes on. Raises ``CatalogueError``."""
    from catalogue.tasks import base_model_fetch

    spec = load().get(key)
    if spec is None or not spec.source.hub:
        raise CatalogueError("This model does not come from the hub.")
    if refusal := hub_refusal():
        raise CatalogueError(refusal)
    free = probes.disk(download_folder(key).parent.parent)["free"]
    if free < 2.2 * spec.memory_fp16:  # the download, and its import
        raise CatalogueError(f"{spec.name} needs about {2.2 * spec.memory_fp16 / 1e9:.0f} GB of disk; {free / 1e9:.0f} GB are free.")
    with transaction.atomic():
        row, new = BaseModelDownload.objects.select_for_update().get_or_create(key=key)
        if not new and row.under_way:
            return row
        row.state, row.error = State.WAITING, ""
        row.save()
        audit.record(None, by, "base_model.download", spec.name, after={"repository": spec.source.hub})
        transaction.on_commit(lambda: _tell(base_model_fetch, key))
    return row


def _tell(task: object, key: str) -> None:
    try:
        task.apply_async([key], queue="default", retry=False)  # type: ignore[attr-defined]
    except Exception as error:  # kombu and redis raise their own kinds
        log.warning("The download of %s could not be handed to a worker: %s", key, error)
        BaseModelDownload.objects.filter(key=key).update(
            state=State.FAILED, error="No worker could be told. Is the studio running completely?"
        )


def fetch(key: str) -> None:
    """Download the repository of ``key`` and check it. Called by a worker; what is there already is not fetched
    again.
    """
    spec = load()[key]
    claimed = BaseModelDownload.objects.filter(key=key, state=State.WAITING).update(state=State.RUNNING, updated_at=timezone.now())
    if not claimed:
        return
    folder = download_folder(key)
    try:
        with _Pulse(key, folder):
            revision = _snapshot(spec.source.hub, folder, key)
        inspect(folder)
    except FolderError as error:
        _end(key, State.FAILED, error=f"It was downloaded but cannot be used: {error}")
    except Exception as error:  # the hub's client has many kinds; each becomes a sentence
        log.exception("Downloading %s", key)
        _end(key, State.FAILED, error=_words(error, spec.source.hub))
    else:
        _end(key, State.DONE, revision=revision, done_bytes=_size(folder))


def _snapshot(repository: str, folder: Path, key: str) -> str:
    """Bring the repository's files to ``folder``; returns the commit they belong to."""
    from fnmatch import fnmatch

    from huggingface_hub import HfApi, snapshot_download

    info = HfApi().model_info(repository, files_metadata=True)
    total = sum(file.size or 0 for file in info.siblings or [] if any(fnmatch(file.rfilename, pattern) for pattern in WANTED))
    BaseModelDownload.objects.filter(key=key).update(total_bytes=total, updated_at=timezone.now())
    snapshot_download(repository, revision=info.sha, local_dir=folder, allow_patterns=WANTED)
    return info.sha or ""


def _words(error: Exception, repository: str) -> str:
    name = type(error).__name__
    if "Gated" in name:
        text = f"{repository} asks you to accept its licence on huggingface.co; then start the studio with HF_TOKEN set."
    elif "NotFound" in name:
        text = f"The hub has no repository {repository}, or it needs HF_TOKEN."
    elif "Offline" in name or "Connect" in name or "Timeout" in name:
        text = "The hub cannot be reached from this machine. Copy the model's folder here and add it instead."
    else:
        text = f"The download failed: {error}"
    return text[:500]


def _end(key: str, state: str, **fields: object) -> None:
    BaseModelDownload.objects.filter(key=key).update(state=state, updated_at=timezone.now(), **fields)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


class _Pulse:
    """Writes how much has arrived, every few seconds, for the page and as a sign of life."""

    def __init__(self, key: str, folder: Path) -> None:
        self._key, self._folder, self._stop = key, folder, threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=PULSE)

    def _beat(self) -> None:
        while not self._stop.wait(PULSE):
            try:
                close_old_connections()
                BaseModelDownload.objects.filter(key=self._key, state=State.RUNNING).update(
                    done_bytes=_size(self._folder), updated_at=timezone.now()
                )
            except Exception as error:  # a file may vanish while it is renamed; the database may be busy
                log.info("No progress of %s this time: %s", self._key, error)
        connection.close()
