"""artifact.json: what an artifact folder holds, by hash, so that lineage outlives the database."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

MANIFEST_FILE = "artifact.json"
VERSION = 1


class FileEntry(BaseModel):
    bytes: int
    sha256: str


class Manifest(BaseModel):
    v: int = VERSION
    kind: str
    files: dict[str, FileEntry]
    sha256: str
    facts: dict[str, Any] = Field(default_factory=dict)
    made_by: dict[str, Any] = Field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.files.values())


class ManifestError(Exception):
    """The folder does not hold what its manifest says."""


def file_sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> dict[str, FileEntry]:
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST_FILE)
    return {p.relative_to(folder).as_posix(): FileEntry(bytes=p.stat().st_size, sha256=file_sha256(p)) for p in paths}


def _digest(files: dict[str, FileEntry]) -> str:
    text = json.dumps([[name, files[name].sha256] for name in sorted(files)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def write(folder: Path, kind: str, facts: dict[str, Any] | None = None, made_by: dict[str, Any] | None = None) -> Manifest:
    """Hash every file under ``folder`` and write its ``artifact.json`` through a temporary name.

    Raises ``ManifestError`` for an empty folder.
    """
    files = _files(folder)
    if not files:
        raise ManifestError(f"{folder.name} holds no files")
    manifest = Manifest(kind=kind, files=files, sha256=_digest(files), facts=facts or {}, made_by=made_by or {})
    temporary = folder / (MANIFEST_FILE + ".tmp")
    temporary.write_text(manifest.model_dump_json(indent=1), "utf-8")
    os.replace(temporary, folder / MANIFEST_FILE)
    return manifest


def read(folder: Path) -> Manifest:
    """The manifest of ``folder``. Raises ``ManifestError`` when there is none or it cannot be read."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST_FILE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ManifestError(f"{folder} is no artifact: {error}") from error


def verify(folder: Path) -> Manifest:
    """Hash the files again. Raises ``ManifestError`` naming the first file that is missing, added or changed."""
    manifest = read(folder)
    files = _files(folder)
    for name in sorted(files.keys() | manifest.files.keys()):
        if files.get(name) != manifest.files.get(name):
            raise ManifestError(f"{folder.name}/{name} is not the file that was recorded")
    if _digest(files) != manifest.sha256:
        raise ManifestError(f"{folder.name}: the hash in its manifest is wrong")
    return manifest
