"""Downloads: whole, and nothing but the model's own files."""

import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from catalogue import packing
from engine import manifest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(os.urandom(3 * packing.BLOCK + 17))
    (folder / "sub" / "config.json").write_text("{}")
    manifest.write(folder, "hf-model")
    return folder


def rewrite(folder: Path, name: str) -> None:
    """Let the manifest name another file, as somebody who tampers with it would."""
    path = folder / manifest.MANIFEST_FILE
    record = json.loads(path.read_text())
    record["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    path.write_text(json.dumps(record))


def test_the_zip_holds_every_file_as_it_is(model: Path) -> None:
    packed = b"".join(packing.zip_blocks(packing.listed_files(model)))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["artifact.json", "sub/config.json", "weights.safetensors"]
        assert archive.read("weights.safetensors") == (model / "weights.safetensors").read_bytes()


def test_no_block_is_much_larger_than_asked(model: Path) -> None:
    assert max(map(len, packing.zip_blocks(packing.listed_files(model)))) < 1.1 * packing.BLOCK


def test_files_the_manifest_does_not_list_stay_out(model: Path) -> None:
    (model / "notes.txt").write_text("not part of it")
    assert "notes.txt" not in [name for name, _ in packing.listed_files(model)]


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "sub/../../secret", "link", "linked/secret", "sub", "nothing"])
def test_what_leads_elsewhere_is_refused(model: Path, name: str) -> None:
    (model.parent / "secret").write_text("secret")
    (model / "link").symlink_to(model.parent / "secret")
    (model / "linked").symlink_to(model.parent)
    rewrite(model, name)
    with pytest.raises(packing.PackingError):
        packing.listed_files(model)


def test_an_erased_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(packing.PackingError, match="not on this machine"):
        packing.listed_files(tmp_path / "gone")
