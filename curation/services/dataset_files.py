"""Dataset versions to take away: a split in any format, a whole version as a zip."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from curation.datacard import card_markdown
from curation.export_files import Told
from curation.models import DatasetVersion
from curation.selectors.datasets import dataset_documents, rows_of
from curation.services.chosen import Tick, go_on, unwatched
from curation.services.cutting import DatasetError
from curation.services.exporting import BLOCK, ExportFile, ExportFormat, export_written, watched
from curation.splitting import SPLITS
from engine.lib.pair_rows import PairRow
from projects import audit
from projects.models import User
from runs.artifacts import artifact_path

ZIP, ZIP_TYPE = "zip", "application/zip"
BY_LEVEL = 1  # of deflate: text shrinks to a quarter at once, and to little less with patience
STAMP = (1980, 1, 1, 0, 0, 0)  # the earliest a zip knows: the same version is the same zip


def split_export(
    *, version: DatasetVersion, split: str, format: ExportFormat, by: User, into: Path | None = None, tick: Tick = unwatched
) -> ExportFile:
    """One split in a format, at the place ``into`` or without a name.

    Raises ``DatasetError`` where the format cannot hold it, or there is nothing of the split to put into it; ``Stopped`` when ``tick``
    wants an end.
    """
    _check_there(version)

    def rows() -> Iterator[tuple[PairRow, Told]]:
        for row in rows_of(version, split):
            if not format.preferences or row.get("rejected"):
                told = {"studio_id": row["id"], "studio_split": split, **({"studio_rehearsal": "yes"} if row.get("rehearsal") else {})}
                yield PairRow.from_dict(row), told

    def write(file: IO[bytes]) -> int:
        if count := format.write(file, watched(rows, format.steps, tick)):
            return count
        raise DatasetError(f"The {split} split has no pair with a rejected answer, so there is nothing for preference training in it.")

    kind = f"-{format.key}" if format.extension == ".jsonl" else ""
    name = f"{version.project.slug}-{version.name}-{split}{kind}{format.extension}"
    try:
        made = export_written(write, name, format.media_type, into)
    except ValueError as error:
        raise DatasetError(f"{error} Take another format.") from error
    audit.record(version.project, by, "dataset.download", version.name, after={"split": split, "format": format.key, "pairs": made.pairs})
    return made


def version_zip(*, version: DatasetVersion, by: User, into: Path | None = None, tick: Tick = unwatched) -> ExportFile:
    """The version's files as they were hashed, and its data card as README.md; at the place ``into`` or without a name.

    Raises ``DatasetError`` when they were erased; ``Stopped`` when ``tick`` wants an end.
    """
    _check_there(version)
    paths = sorted(artifact_path(version.artifact).iterdir())
    pairs, size = sum(version.counts.values()), sum(path.stat().st_size for path in paths)

    def write(file: IO[bytes]) -> int:
        packed = 0
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=BY_LEVEL) as archive:
            archive.writestr(_entry("README.md"), markdown_of(version))
            for path in paths:
                with open(path, "rb") as source, archive.open(_entry(path.name), "w", force_zip64=True) as target:
                    while block := source.read(BLOCK):
                        target.write(block)
                        packed += len(block)
                        go_on(tick, pairs * packed // size, "Packing the files")
        return pairs

    made = export_written(write, f"{version.project.slug}-{version.name}.zip", ZIP_TYPE, into)
    audit.record(version.project, by, "dataset.download", version.name, after={"split": "all", "format": ZIP})
    return made


def markdown_of(version: DatasetVersion) -> str:
    """The data card, with the documents' names of today."""
    names = {row["split"]: row["names"] for row in dataset_documents(version)}
    return card_markdown(version, project_name=version.project.name, document_names=names)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, STAMP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _check_there(version: DatasetVersion) -> None:
    folder = artifact_path(version.artifact)
    if not all((folder / f"{split}.jsonl").is_file() for split in SPLITS):
        raise DatasetError("The files of this version are not on this machine any more. Cut a new version.")
