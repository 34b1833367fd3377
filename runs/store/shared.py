"""Folders with a manifest in an S3-compatible store. Files first, ``artifact.json`` last: whoever finds that finds all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from engine import manifest
from engine.faults import fault

PART = 16 * 2**20  # bytes sent or received at once
AT_ONCE = 4  # parts of one file on their way
PATIENCE = timedelta(seconds=60)  # with a store that does not answer, before ``StoreAway``


class StoreAway(Exception):
    """The store cannot be reached or refuses. The same may work later: nothing is lost, and nobody should give up for it."""


class SharedStore:
    """``url``: s3://bucket/prefix, and what else obstore knows. Endpoint and credentials come from the environment, as for every S3 client:
    ``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``.

    Every method raises ``StoreAway`` when the store does not answer or refuses.
    """

    def __init__(self, url: str) -> None:
        import obstore.store

        with _trouble(f"open {url}"):
            plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")  # a server of one's own, behind no wall of the net
            options: dict[str, Any] = {}
            if url.startswith("s3"):
                options = {"client_options": {"allow_http": plain, "timeout": "2 minutes"}, "retry_config": {"retry_timeout": PATIENCE}}
            self._store = obstore.store.from_url(url, **options)

    def upload(self, folder: Path, key: str) -> None:
        """Store ``folder`` under ``key``. Where just that lies already nothing is done; anything else there, whole or half, is replaced.

        Raises ``ManifestError`` when ``folder`` is no artifact.
        """
        import obstore

        record = manifest.read(folder)
        there = self.manifest_of(key)
        if there == record:
            return
        if there:  # something was erased of it: its old files must not stay
            self.erase(key)
        with _trouble(f"store {key}"):
            for name in record.files:
                obstore.put(self._store, f"{key}/{name}", folder / name, chunk_size=PART, max_concurrency=AT_ONCE)
            fault("store.before_manifest")
            obstore.put(self._store, f"{key}/{manifest.MANIFEST_FILE}", folder / manifest.MANIFEST_FILE)

    def manifest_of(self, key: str) -> manifest.Manifest | None:
        """The manifest under ``key``, or None where nothing whole lies. Raises ``ManifestError`` for one that cannot be read."""
        import obstore

        try:
            with _trouble(f"look for {key}"):
                text = bytes(obstore.get(self._store, f"{key}/{manifest.MANIFEST_FILE}").bytes())
        except FileNotFoundError:
            return None
        try:
            return manifest.Manifest.model_validate_json(text)
        except ValidationError as error:
            raise manifest.ManifestError(f"{key} in the store has no manifest that can be read") from error

    def fetch(self, key: str, folder: Path, *, sha256: str = "") -> None:
        """Bring what lies under ``key`` into ``folder``, which is made, and verify it against its manifest and ``sha256``, where given.

        Raises ``FileNotFoundError`` when nothing whole is there and ``ManifestError`` for what is not what was stored.
        """
        record = self.manifest_of(key)
        if record is None:
            raise FileNotFoundError(key)
        if sha256 and record.sha256 != sha256:
            raise manifest.ManifestError(f"{key} in the store is not what was recorded")
        folder.mkdir(parents=True)
        for name, entry in record.files.items():
            if not _inside(name):
                raise manifest.ManifestError(f"{key} in the store names a file outside of it: {name}")
            self._fetch_file(f"{key}/{name}", folder / name, entry.bytes)
        (folder / manifest.MANIFEST_FILE).write_text(record.model_dump_json(indent=1), "utf-8")
        manifest.verify(folder)

    def _fetch_file(self, key: str, path: Path, size: int) -> None:
        import obstore

        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _trouble(f"fetch {key}"):
                there = obstore.head(self._store, key)["size"]
                if there != size:  # known before it fills the disk
                    raise manifest.ManifestError(f"{key} in the store has {there} bytes, not {size}")
                with open(path, "wb") as file:
                    for start in range(0, size, PART):  # each part is tried again by itself
                        file.write(obstore.get_range(self._store, key, start=start, end=min(start + PART, size)))
        except FileNotFoundError as error:
            raise manifest.ManifestError(f"{key} is missing in the store") from error

    def erase(self, key: str) -> None:
        """Remove everything under ``key``, the manifest first: what is half gone is nothing."""
        import obstore

        with _trouble(f"erase {key}"):
            for names in ([f"{key}/{manifest.MANIFEST_FILE}"], self._names(key)):
                with suppress(FileNotFoundError):  # some stores mind; erasing may be asked for again
                    obstore.delete(self._store, names)

    def keys(self, prefix: str) -> list[str]:
        """The keys under ``prefix`` where something whole lies."""
        with _trouble(f"list {prefix}"):
            end = f"/{manifest.MANIFEST_FILE}"
            return [name.removesuffix(end) for name in self._names(prefix) if name.endswith(end)]

    def _names(self, prefix: str) -> list[str]:
        import obstore

        return [item["path"] for batch in obstore.list(self._store, prefix, chunk_size=1000) for item in batch]


@contextmanager
def _trouble(doing: str) -> Iterator[None]:
    """The library's errors in our words. That something is not there is no trouble."""
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        raise StoreAway(f"The artifact store could not {doing}: {str(error).splitlines()[0][:300]}") from error


def _inside(name: str) -> bool:
    """Whether ``name`` stays in the folder it is joined to: a manifest from elsewhere may say anything."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name and "\0" not in name
