"""The chunks a generating run reads: those of the documents as they are today, as one artifact."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings

from curation.documents import current_versions
from projects.models import Project
from retrieval.jsonl import read_rows
from retrieval.models import DocumentVersion
from runs.artifacts import artifact_path, artifact_register
from runs.models import Artifact


def chunks_ensure(project: Project) -> Artifact | None:
    """The artifact that holds the chunks of exactly the current versions; where they were read in several runs, one is put together once.

    None where nothing has been read yet.
    """
    versions = current_versions(project)
    artifacts = {version.artifact_id: version.artifact for version in versions if version.artifact}
    if not artifacts:
        return None
    taken_from = sorted(str(pk) for pk in artifacts)
    put_together = Artifact.objects.filter(project=project, kind="chunks", produced_by=None)
    there = [one for one in put_together if one.facts.get("taken_from") == taken_from]
    there += artifacts.values() if len(artifacts) == 1 else []
    wanted = {str(version.pk) for version in versions}
    found = next((one for one in there if one.ready and _read_versions(one) == wanted), None)
    return found or _put_together(project, versions, list(artifacts.values()))


def _read_versions(artifact: Artifact) -> set[str]:
    rows = read_rows(artifact_path(artifact) / "documents.jsonl")
    return {row["version"] for row in rows if row["status"] == "ok"}


def _put_together(project: Project, versions: list[DocumentVersion], artifacts: list[Artifact]) -> Artifact:
    """A ``chunks`` artifact with the current versions alone, taken over from those that hold them. Its facts name them."""
    import numpy as np

    settings.ARTIFACT_ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="chunks-", dir=settings.ARTIFACT_ROOT))
    source_of = {str(version.pk): version.artifact_id for version in versions}
    vectors: list[Any] = []
    (folder / "texts").mkdir()
    try:
        with (
            open(folder / "documents.jsonl", "w", encoding="utf-8") as documents,
            open(folder / "chunks.jsonl", "w", encoding="utf-8") as chunks,
        ):
            for artifact in sorted(artifacts, key=lambda one: str(one.pk)):
                place = artifact_path(artifact)
                for row in read_rows(place / "documents.jsonl"):
                    if source_of.get(row["version"]) == artifact.pk and row["status"] == "ok":
                        documents.write(json.dumps(row, ensure_ascii=False) + "\n")
                        shutil.copyfile(place / row["text_file"], folder / row["text_file"])
                kept = []
                for at, row in enumerate(read_rows(place / "chunks.jsonl")):
                    if source_of.get(row["version"]) == artifact.pk:
                        chunks.write(json.dumps(row, ensure_ascii=False) + "\n")
                        kept.append(at)
                vectors.append(np.load(place / "vectors.npy", mmap_mode="r")[kept])
        facts = {"documents": len(versions), "taken_from": sorted(str(artifact.pk) for artifact in artifacts)}
        embedders = {str(artifact.facts.get("embedder") or "") for artifact in artifacts}
        if len(embedders) == 1:  # vectors of several models have nothing to do with each other
            np.save(folder / "vectors.npy", np.concatenate(vectors))
            facts["embedder"] = embedders.pop()
        return artifact_register(project=project, kind="chunks", folder=folder, facts=facts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
