"""Downloads from the hub: one at a time, with a reason when they fail. The hub itself is outside this machine: a fake
stands for it.
"""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from catalogue import downloading
from catalogue.models import SILENT, BaseModelDownload
from catalogue.selectors import base_model, download_folder
from catalogue.services import CatalogueError
from projects.models import User

KEY = "llama-3.2-1b-instruct"


@pytest.fixture(autouse=True)
def online(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.STUDIO_HOME = tmp_path
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(downloading.probes, "disk", lambda folder: {"total": 10**13, "free": 10**13})
    monkeypatch.setattr(downloading, "_tell", lambda task, key: None)


def arrive(repository: str, folder: Path, key: str) -> str:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    return "abc123"


def test_what_arrived_and_was_checked_is_on_this_machine(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "_snapshot", arrive)
    downloading.base_model_download(key=KEY, by=owner)
    downloading.fetch(KEY)
    row = BaseModelDownload.objects.get()
    assert (row.state, row.revision) == ("DONE", "abc123")
    state = base_model(KEY)
    assert state is not None
    assert state.place == download_folder(KEY)


@pytest.mark.parametrize(
    ("kind", "says"),
    [("GatedRepoError", "HF_TOKEN"), ("RepositoryNotFoundError", "no repository"), ("ConnectError", "reached")],
)
def test_a_failure_says_what_to_do(owner: User, monkeypatch: pytest.MonkeyPatch, kind: str, says: str) -> None:
    def fail(*_: object) -> str:
        raise type(kind, (Exception,), {})("")

    monkeypatch.setattr(downloading, "_snapshot", fail)
    downloading.base_model_download(key=KEY, by=owner)
    downloading.fetch(KEY)
    row = BaseModelDownload.objects.get()
    assert row.state == "FAILED"
    assert says in row.error


def test_a_download_that_is_no_safe_model_is_refused(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def only_pickles(repository: str, folder: Path, key: str) -> str:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        return "abc"

    monkeypatch.setattr(downloading, "_snapshot", only_pickles)
    downloading.base_model_download(key=KEY, by=owner)
    downloading.fetch(KEY)
    assert "cannot be used" in BaseModelDownload.objects.get().error


def test_it_is_started_once_and_again_when_its_worker_died(owner: User) -> None:
    downloading.base_model_download(key=KEY, by=owner)
    BaseModelDownload.objects.update(state="RUNNING")
    assert downloading.base_model_download(key=KEY, by=owner).state == "RUNNING"
    state = base_model(KEY)
    assert state is not None and state.downloading
    BaseModelDownload.objects.update(updated_at=timezone.now() - 2 * SILENT)
    state = base_model(KEY)
    assert state is not None and not state.downloading  # or the page would offer no way to start it again
    assert downloading.base_model_download(key=KEY, by=owner).state == "WAITING"


def test_two_workers_take_it_once(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(downloading, "_snapshot", lambda repository, folder, key: calls.append(key) or arrive(repository, folder, key))
    downloading.base_model_download(key=KEY, by=owner)
    downloading.fetch(KEY)
    downloading.fetch(KEY)
    assert calls == [KEY]


def test_too_little_disk_is_said_beforehand(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading.probes, "disk", lambda folder: {"total": 10**9, "free": 10**9})
    with pytest.raises(CatalogueError, match="disk"):
        downloading.base_model_download(key=KEY, by=owner)


def test_a_packaged_model_does_not_come_from_the_hub(owner: User) -> None:
    with pytest.raises(CatalogueError, match="hub"):
        downloading.base_model_download(key="smollm2-135m-instruct", by=owner)
