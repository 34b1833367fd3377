"""Sending model files: one as it is, a folder as a zip made while it is sent. Nothing is held in memory or written to
disk.
"""

import io
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from asgiref.sync import sync_to_async

from engine import manifest

BLOCK = 2**20


class PackingError(Exception):
    """A file of the artifact is not there, or lies outside its folder."""


def listed_files(folder: Path) -> list[tuple[str, Path]]:
    """(name in the archive, path) of what the manifest lists, and the manifest. Raises ``PackingError`` for what
    leads elsewhere.
    """
    try:
        names = sorted(manifest.read(folder).files)
    except manifest.ManifestError as error:
        raise PackingError("The files of this model are not on this machine any more.") from error
    root = folder.resolve()
    found = []
    for name in [*names, manifest.MANIFEST_FILE]:
        path = (folder / name).resolve()
        parts = Path(name).parts
        if not path.is_relative_to(root) or path != root.joinpath(*parts) or not path.is_file():
            raise PackingError(f"{name} is not a file of this model.")
        found.append((name, path))
    return found


def zip_blocks(files: list[tuple[str, Path]]) -> Iterator[bytes]:
    """A zip of ``files``, block by block. Weights do not shrink, so nothing is compressed."""
    out = _Drain()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo.from_file(path, name)
            with open(path, "rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while block := source.read(BLOCK):
                    target.write(block)
                    yield out.take()
    yield out.take()


def file_blocks(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            yield block


async def streamed(blocks: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """``blocks`` for an ASGI server, which would collect a plain iterator in memory before it sent the first byte."""
    iterator = blocks()

    def following() -> bytes | None:
        return next(iterator, None)

    while (block := await sync_to_async(following, thread_sensitive=False)()) is not None:
        if block:
            yield block


class _Drain(io.RawIOBase):
    """A stream that can only be written to; what was written is taken out again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        data, self._parts = b"".join(self._parts), []
        return data
