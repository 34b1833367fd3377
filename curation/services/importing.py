"""Files of pairs: taking them in, trying how they read, importing them by a run."""

import shutil
import tempfile
import unicodedata
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files import File
from django.db import transaction

from curation.import_settings import ImportSettings
from curation.models import PairImport
from curation.selectors.imports import STAGE
from engine.lib.pair_formats.file_types import check_table
from engine.lib.upload_checks import HEAD_BYTES
from projects import audit
from projects.models import Project, User
from projects.services import project_touch
from runs.artifacts import artifact_erase, artifact_register
from runs.models import Run, Status
from runs.services import run_create

FILE_NAME = "table"  # in the artifact, with the extension of the upload; its own name may be anything


class PairImportError(Exception):
    """A file cannot be taken, or not be imported now. ``mend`` says what to do."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.mend = mend


def pair_import_upload(*, project: Project, by: User, file: File) -> PairImport:
    """Keep ``file`` as a `table-file` artifact. Raises ``PairImportError`` for one that cannot be a file of pairs."""
    name = unicodedata.normalize("NFC", file.name or "")
    file.seek(0)
    head = file.read(HEAD_BYTES)
    problem = check_table(name, file.size or 0, head, cast(BinaryIO, file.file), max_bytes=settings.UPLOAD_MAX_BYTES)
    if problem:
        raise PairImportError(problem.message, problem.mend)
    extension = Path(name).suffix.lower()
    settings.ARTIFACT_ROOT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="table-file-", dir=settings.ARTIFACT_ROOT))  # beside the store: taking it over is a rename
    try:
        with open(folder / f"{FILE_NAME}{extension}", "wb") as target:
            file.seek(0)
            for part in file.chunks():
                target.write(part)
        artifact = artifact_register(project=project, kind="table-file", folder=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with transaction.atomic():
        made = PairImport.objects.create(project=project, name=name[:200], artifact=artifact, created_by=by)
        audit.record(project, by, "import.upload", f"import {made.pk}", after={"bytes": artifact.bytes, "sha256": artifact.sha256})
        project_touch(project)
    return made


def pair_import_set(*, pair_import: PairImport, settings: ImportSettings) -> None:
    """Remember how the file is to be read."""
    PairImport.objects.filter(pk=pair_import.pk).update(settings=settings.as_dict())
    pair_import.settings = settings.as_dict()


def pair_import_try(*, pair_import: PairImport, by: User, again: bool = False) -> Run:
    """A run that reads the whole file and says what it would make. Raises ``PairImportError`` while another one is under way, or when
    it is imported already and not to be so ``again``.
    """
    return _begin(pair_import, by, dry_run=True, again=again)


def pair_import_start(*, pair_import: PairImport, by: User, again: bool = False) -> Run:
    """The run that imports the file. ``again``: though it is imported; what reads as it did then stays as it is in the table.

    Raises ``PairImportError`` when it is imported already, or is being imported.
    """
    return _begin(pair_import, by, dry_run=False, again=again)


@transaction.atomic
def _begin(pair_import: PairImport, by: User, *, dry_run: bool, again: bool) -> Run:
    which = "dry_run" if dry_run else "run"
    before: Run | None = getattr(pair_import, which)
    if not again and pair_import.run and pair_import.run.status == Status.SUCCEEDED and pair_import.run.summary.get("good"):
        raise PairImportError("This file is imported already.", "Choose Import again to read it with other settings.")
    if any(run and not run.is_ended for run in (pair_import.run, before)):
        raise PairImportError("A run reads this file at this moment.", "Wait until it has ended, or stop it.")
    params = {**ImportSettings.from_dict(pair_import.settings).as_dict(), "name": pair_import.name, "dry_run": dry_run}
    title = f"{'Try' if dry_run else 'Import'} {pair_import.name}"[:120]
    run = run_create(project=pair_import.project, stage=STAGE, params=params, inputs={"file": pair_import.artifact}, by=by, title=title)
    # compare-and-set: who pressed the button at the same moment was first, or was not
    if not PairImport.objects.filter(pk=pair_import.pk, **{which: before}).update(**{which: run}):
        raise PairImportError("Somebody else began this at the same moment.", "Look at what their run says.")
    setattr(pair_import, which, run)
    return run


def pair_import_remove(*, pair_import: PairImport, by: User) -> None:
    """Remove an upload and its file; the pairs that came from it stay. Raises ``PairImportError`` while a run reads it."""
    if any(run and not run.is_ended for run in (pair_import.run, pair_import.dry_run)):
        raise PairImportError("A run reads this file at this moment.", "Stop the run, or wait until it has ended.")
    with transaction.atomic():
        audit.record(pair_import.project, by, "import.remove", f"import {pair_import.pk}")
        PairImport.objects.filter(pk=pair_import.pk).delete()
        artifact_erase(pair_import.artifact)
