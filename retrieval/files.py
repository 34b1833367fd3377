"""Where the bytes of documents lie: under generated names in the studio's files, never under a name that a person gave."""

import os
import shutil
from pathlib import Path
from uuid import UUID

from django.conf import settings

ROOT = "documents"


def root() -> Path:
    return Path(settings.STORAGES["default"]["OPTIONS"]["location"])


def place(name: str) -> Path:
    return root() / name


def name_for(project_id: int, version_id: UUID, extension: str) -> str:
    """``extension`` comes from the list of types the studio reads, so it is safe in a path."""
    return f"{ROOT}/{project_id}/{version_id}{extension}"


def text_place(file: str) -> Path:
    """Where the text read from ``file`` lies."""
    path = place(file)
    return path.with_name(path.stem + ".text")


def link_or_copy(source: Path, target: Path) -> None:
    """``target`` with the bytes of ``source``, replacing what was there; a hard link where the disk allows one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
    os.replace(temporary, target)
    temporary.unlink(missing_ok=True)  # renaming a link over another link of the same file leaves both


def erase(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def erase_project(project_id: int) -> None:
    shutil.rmtree(root() / ROOT / str(project_id), ignore_errors=True)
