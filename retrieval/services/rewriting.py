"""Taking what was erased out of an artifact's files."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from engine import manifest
from retrieval.jsonl import Row, read_rows
from runs.artifacts import artifact_path, artifact_share
from runs.models import Artifact

Write = Callable[[Path, Path, list[Row], set[str]], None]


def artifact_without(
    artifact: Artifact, versions: set[str], *, listed: str, write: Write, of: Callable[[Row], Iterable[str]] = lambda row: [row["version"]]
) -> None:
    """Take ``versions`` of documents out of an artifact's folder, where its file ``listed`` has rows of them.

    ``of(row)`` names the versions a row draws on. ``write(old, new, rows, held)`` fills the new folder with all but the versions ``held``;
    ``rows`` are those of ``listed``. The new folder is written beside the old one and takes its place, so that files and manifest agree
    whenever somebody looks. The artifact's
    row keeps the hash it had; its facts tell what was erased.
    """
    folder = artifact_path(artifact)
    new, old = folder.with_name(folder.name + ".erased"), folder.with_name(folder.name + ".old")
    if new.is_dir() and not folder.is_dir():  # an earlier call died between its two renames
        os.rename(new, folder)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(new, ignore_errors=True)
    rows = list(read_rows(folder / listed)) if (folder / listed).is_file() else []
    held = {version for row in rows for version in of(row)} & versions
    if not held:
        artifact_share(artifact)  # an earlier call may have died before its end
        return
    facts = {**artifact.facts, "erased": sorted({*artifact.facts.get("erased", []), *held})}
    Artifact.objects.filter(pk=artifact.pk).update(facts=facts)
    new.mkdir()
    write(folder, new, rows, held)
    manifest.write(new, artifact.kind, facts, manifest.read(folder).made_by)
    os.rename(folder, old)
    os.rename(new, folder)
    shutil.rmtree(old)
    artifact_share(artifact)
