"""Artifacts of the shared store on this machine: fetched when somebody needs one, and gone again when the disk is needed.

``ARTIFACT_ROOT`` is the cache; the time of a folder is when it was last asked for. Every process of the machine may come here at once.
"""

import fcntl
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from engine import manifest, registry
from engine.faults import fault
from runs.models import ACTIVE, Artifact, Run, RunInput
from runs.store.shared import SharedStore

log = logging.getLogger(__name__)

KEEP_SECONDS = 3600.0  # that what was asked for stays: the inference server may open it as long as a grant lasts
LOCKS = ".locks"


def bring(artifact: Artifact, store: SharedStore) -> Path:
    """The artifact's folder on this machine, fetched where it is not here as it should be. A folder that is not there: erased everywhere.

    Raises ``ManifestError`` when what the store holds is not what was recorded, and ``StoreAway``.
    """
    place: Path = settings.ARTIFACT_ROOT / artifact.uri
    if not _current(artifact, place):
        with _alone(artifact.pk):
            if not _current(artifact, place):
                _fetch(artifact, place, store)
    with suppress(FileNotFoundError):
        os.utime(place)
    return place


def _current(artifact: Artifact, place: Path) -> bool:
    """Whether it is here, without what was erased of it meanwhile on another machine."""
    erased = artifact.facts.get("erased")
    try:
        return place.is_dir() and (not erased or manifest.read(place).facts.get("erased") == erased)
    except manifest.ManifestError:
        return False


def _fetch(artifact: Artifact, place: Path, store: SharedStore) -> None:
    make_room(store, artifact.bytes)
    fetched = place.with_name(place.name + ".fetched")
    shutil.rmtree(fetched, ignore_errors=True)  # of a process that died: we are alone here
    try:
        # an artifact that something was erased of has another hash than the one its row keeps for lineage
        store.fetch(artifact.uri, fetched, sha256="" if artifact.facts.get("erased") else artifact.sha256)
        fault("cache.before_rename")
        _drop(place)
        os.rename(fetched, place)
    except FileNotFoundError:
        return  # erased, or never brought there: then what is here is all there is
    finally:
        shutil.rmtree(fetched, ignore_errors=True)


def make_room(store: SharedStore, needed: int = 0) -> None:
    """Drop what was not asked for the longest until ``needed`` bytes more fit into ``ARTIFACT_CACHE_BYTES``.

    Nothing goes that a live run reads, that was asked for within ``KEEP_SECONDS``, or that the store does not have.
    """
    here = _here()
    rows = {row.pk: row for row in Artifact.objects.filter(pk__in=here).only("pk", "uri", "bytes")}
    total = needed + sum(row.bytes for row in rows.values())
    if total <= settings.ARTIFACT_CACHE_BYTES:
        return
    read = set(RunInput.objects.filter(run__status__in=ACTIVE, artifact__in=rows).values_list("artifact", flat=True))
    for pk, place in sorted(here.items(), key=lambda one: _used(one[1])):
        if total <= settings.ARTIFACT_CACHE_BYTES:
            return
        if pk in rows and pk not in read and _used(place) < time.time() - KEEP_SECONDS and store.manifest_of(rows[pk].uri):
            _drop(place)
            total -= rows[pk].bytes


def sweep(store: SharedStore) -> None:
    """Drop what was erased, or belongs to a project that was deleted, wherever that was done. Then see that the rest is not too much."""
    from runs.artifacts import output_id

    here = _here()
    rows = {row.pk: row for row in Artifact.objects.filter(pk__in=here).only("pk", "uri", "ready", "facts")}
    live = Run.objects.filter(status__in=ACTIVE)
    coming = {output_id(run, role) for run in live for role in registry.get(run.stage).produces}  # their supervisors may be dead
    for pk, place in here.items():
        row = rows.get(pk)
        settled = pk not in coming and _used(place) < time.time() - KEEP_SECONDS  # it is not being registered at this moment
        gone = settled and (row is None or not row.ready) and store.manifest_of(f"{place.parent.name}/{place.name}") is None
        outdated = row is not None and not _current(row, place) and store.manifest_of(row.uri) is not None
        if gone or outdated:
            log.info("%s/%s was erased elsewhere and goes from this machine", place.parent.name, place.name)
            _drop(place)
    folders = {folder.name: folder for folder in settings.RUN_ROOT.glob("*") if folder.is_dir()}
    for name in folders.keys() - {str(pk) for pk in Run.objects.values_list("pk", flat=True)}:
        shutil.rmtree(folders[name], ignore_errors=True)
    make_room(store)


def _here() -> dict[uuid.UUID, Path]:
    """What lies in the cache. There is more in ``ARTIFACT_ROOT``: what has a temporary name, and folders without a manifest."""
    found = {}
    for place in settings.ARTIFACT_ROOT.glob("*/*"):
        with suppress(ValueError):
            if (place / manifest.MANIFEST_FILE).is_file():
                found[uuid.UUID(place.name)] = place
    return found


def _used(place: Path) -> float:
    try:
        return place.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _drop(place: Path) -> None:
    """Away at once by its name, then by its bytes: nobody finds half of it."""
    gone = place.with_name(f"{place.name}.gone-{uuid.uuid4().hex[:8]}")
    with suppress(FileNotFoundError):
        os.rename(place, gone)
    shutil.rmtree(gone, ignore_errors=True)


@contextmanager
def _alone(pk: uuid.UUID) -> Iterator[None]:
    """One process of this machine at a time. The kernel lets go of the lock of a process that dies; 256 files serve all artifacts."""
    locks: Path = settings.ARTIFACT_ROOT / LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    with open(locks / pk.hex[:2], "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
