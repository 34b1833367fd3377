"""What is done to base models: bringing one onto this machine, and adding one by its folder."""

import os
import shutil
import tempfile
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify

from catalogue import families
from catalogue.folders import FolderError, inside, inspect
from catalogue.models import BaseModelImport, LocalModel
from catalogue.selectors import BaseModelState, base_model, models_dir
from engine.manifest import file_sha256
from projects import audit
from projects.models import User
from runs.models import Artifact, Run
from runs.services import RunError, run_create


class CatalogueError(Exception):
    """A base model cannot be had as asked, and what to do about it."""


def base_model_ensure(*, key: str, by: User | None) -> Artifact | Run:
    """The ``hf-model`` of the base model ``key``, or the run that is making it: started here when nobody has.

    Raises ``CatalogueError`` for a key that does not exist and for a model that is not on this machine.
    """
    state = base_model(key)
    if state is None:
        raise CatalogueError(f"There is no base model {key!r} in the catalogue.")
    if found := _made(state):
        return found
    if state.place is None:
        raise CatalogueError(how_to_get(state.spec))
    # Before the transaction: it may copy a gigabyte, and SQLite's one writer must not wait for that
    return _import_start(state, _source_file(state.spec, state.place), by)


def _made(state: BaseModelState) -> Artifact | Run | None:
    return state.artifact or (state.run if state.importing else None)


@transaction.atomic
def _import_start(state: BaseModelState, source: Path, by: User | None) -> Artifact | Run:
    row, _ = BaseModelImport.objects.select_for_update().get_or_create(key=state.key)
    again = base_model(state.key)  # now that nobody else can start one
    if again and (found := _made(again)):
        return found
    try:
        row.run = run_create(
            project=None,
            stage="import_base",
            params={"source": str(source), "name": state.name},
            inputs={},
            by=by,
            title=f"Import {state.name}",
        )
    except RunError as error:
        raise CatalogueError(str(error)) from error
    row.save(update_fields=["run"])
    return row.run


def _source_file(spec: families.BaseModel, place: Path) -> Path:
    """What the import reads: ``place``, or for a file in parts the whole, put together once. Raises
    ``CatalogueError``.
    """
    if not spec.source.parts:
        return place
    whole: Path = settings.STUDIO_HOME / "models" / spec.key / spec.source.file
    if whole.exists() and file_sha256(whole) == spec.source.sha256:
        return whole
    whole.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=whole.name, suffix=".tmp", dir=whole.parent)  # two may put it together at once
    temporary = Path(name)
    with open(handle, "wb") as target:
        for part in spec.source.part_files():
            with open(part, "rb") as file:
                shutil.copyfileobj(file, target)
    if file_sha256(temporary) != spec.source.sha256:
        temporary.unlink()
        raise CatalogueError(f"The package of {spec.name} is damaged: its parts make a file of another hash. Install it again.")
    os.replace(temporary, whole)
    return whole


def how_to_get(spec: families.BaseModel) -> str:
    """What to do when a model is not on this machine."""
    if spec.source.package:
        package = spec.source.distribution or spec.source.package
        return f"{spec.name} comes in the package {package}, which is not installed here."
    if spec.source.path:
        return f"{spec.name} is not at its place any more: {spec.source.path}."
    return f"{spec.name} is not on this machine. An administrator can download it, or add its folder, on the Compute page."


@transaction.atomic
def local_model_add(*, name: str, path: str, licence: str = "", by: User) -> LocalModel:
    """Add a model folder or GGUF file that lies under ``STUDIO_MODELS_DIR``, after looking into it.

    Raises ``CatalogueError`` for a place outside that folder, one that is no model, and a name that is taken.
    """
    root = models_dir()
    if root is None:
        raise CatalogueError("No folder for models is set. Start the studio with STUDIO_MODELS_DIR naming one.")
    try:
        place = inside(root, path)
        found = inspect(place)
    except FolderError as error:
        raise CatalogueError(str(error)) from error
    key = slugify(name)[:80]
    if not key or key in families.load() or LocalModel.objects.filter(key=key).exists():
        raise CatalogueError("There is a model of that name already. Choose another name.")
    row = LocalModel.objects.create(
        key=key,
        name=name.strip()[:120],
        path=place.relative_to(root).as_posix(),
        licence=licence,
        parameters=found.parameters,
        context=found.context,
        added_by=by,
    )
    audit.record(None, by, "base_model.add", f"{row.name} {key}", after={"path": row.path})
    return row


def model_download_note(*, artifact: Artifact, by: User) -> None:
    """Write into the project's log that somebody took a model out of the studio."""
    audit.record(artifact.project, by, "model.download", f"{artifact.kind} {artifact.pk}", after={"sha256": artifact.sha256})
