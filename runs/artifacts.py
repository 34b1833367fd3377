"""The artifact store: a folder an artifact. Written under a temporary name, hashed, renamed, copied to the shared store where there is one,
then the row.
"""

import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError

from engine import manifest
from engine.faults import fault
from projects.models import Project
from runs.models import Artifact, Run
from runs.store import cache, shared_store


def artifact_path(artifact: Artifact) -> Path:
    """The artifact's folder on this machine, fetched from the shared store where there is one and it is not here.

    Of an erased artifact the folder is not there. Raises, with a shared store alone, ``engine.manifest.ManifestError`` for what is not what
    was recorded and ``runs.store.StoreAway``.
    """
    store = shared_store()
    return cache.bring(artifact, store) if store else settings.ARTIFACT_ROOT / artifact.uri


def output_id(run: Run, role: str) -> uuid.UUID:
    """The id that the output ``role`` of the run's attempt has, whoever registers it and however often."""
    return uuid.uuid5(run.pk, f"{run.attempt}/{role}")


def artifact_register(
    *,
    project: Project | None,
    kind: str,
    folder: Path,
    facts: dict[str, Any] | None = None,
    produced_by: Run | None = None,
    role: str = "",
    ready: bool = True,
) -> Artifact:
    """Take ``folder`` over into the store and insert its row.

    A folder that a stage handed over keeps its manifest, whose hashes are checked; any other gets one. If the row for this run, attempt
    and role is there already (a supervisor died between row and bell), that row is the answer.
    With a shared store the row comes only once that has every file: wherever a run finds the row, it finds the artifact.
    Raises ``engine.manifest.ManifestError`` for a folder that is not what its manifest says, and ``runs.store.StoreAway``.
    """
    attempt = produced_by.attempt if produced_by else 1
    if produced_by and (found := Artifact.objects.filter(produced_by=produced_by, attempt=attempt, role=role).first()):
        return found
    new_id = output_id(produced_by, role) if produced_by else uuid.uuid4()
    place = settings.ARTIFACT_ROOT / kind / str(new_id)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():  # whole, for it is renamed into place: by a supervisor that died before the row
        record = manifest.verify(place)
    else:
        record = manifest.verify(folder) if (folder / manifest.MANIFEST_FILE).exists() else manifest.write(folder, kind, facts)
        fault("store.before_rename")
        _move(folder, place)
        fault("store.after_rename")
    if store := shared_store():
        store.upload(place, f"{kind}/{new_id}")
    fault("store.before_row")
    try:
        artifact = Artifact.objects.create(
            id=new_id,
            project=project,
            kind=kind,
            uri=f"{kind}/{new_id}",
            bytes=record.bytes,
            sha256=record.sha256,
            facts=record.facts,
            produced_by=produced_by,
            role=role,
            attempt=attempt,
            ready=ready,
        )
    except IntegrityError:  # two supervisors at once: the other one's row stands
        return Artifact.objects.get(pk=new_id)
    fault("store.after_row")
    return artifact


def artifact_erase(artifact: Artifact) -> None:
    """Remove the bytes; the row with its hash stays as the tombstone of lineage. Raises ``runs.store.StoreAway``."""
    artifact_files_erase(artifact)
    Artifact.objects.filter(pk=artifact.pk).update(ready=False)


def artifact_files_erase(artifact: Artifact) -> None:
    """Remove the bytes from the shared store and from this machine; others drop theirs at their next run (``runs.store.cache.sweep``)."""
    if store := shared_store():
        store.erase(artifact.uri)
    shutil.rmtree(settings.ARTIFACT_ROOT / artifact.uri, ignore_errors=True)


def artifact_share(artifact: Artifact) -> None:
    """See that the shared store has what lies on this machine: what was there before the store was, or what was rewritten. Idempotent."""
    store, place = shared_store(), settings.ARTIFACT_ROOT / artifact.uri
    if store and place.is_dir():
        store.upload(place, artifact.uri)


def _move(folder: Path, place: Path) -> None:
    """Rename, or copy beside the place and rename where the two lie on different disks."""
    try:
        os.rename(folder, place)
    except OSError:
        temporary = place.with_name(place.name + ".tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(folder, temporary)
        os.rename(temporary, place)
        shutil.rmtree(folder, ignore_errors=True)
