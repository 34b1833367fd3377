"""What pages read of base models and of a project's own models."""

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from catalogue.families import BaseModel, Family, Source, load
from catalogue.models import BaseModelDownload, BaseModelImport, LocalModel
from projects.models import Project
from runs.models import ACTIVE, PENDING, Artifact, Run, Status

ADAPTER_KINDS = ("adapter", "soft-prompt")  # of use on their base model alone
MODEL_KINDS = (*ADAPTER_KINDS, "hf-model", "gguf-model")


@dataclass(frozen=True)
class BaseModelState:
    """A base model and how far it is on this machine."""

    spec: BaseModel
    artifact: Artifact | None
    run: Run | None  # the latest import
    place: Path | None  # the package's file, the downloaded folder, or an administrator's
    download: BaseModelDownload | None = None

    @property
    def key(self) -> str:
        return self.spec.key

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def imported(self) -> bool:
        return self.artifact is not None

    @property
    def importing(self) -> bool:
        return self.run is not None and self.run.status in [*ACTIVE, *PENDING] and self.artifact is None

    @property
    def failed(self) -> bool:
        return self.run is not None and self.artifact is None and self.run.status in (Status.FAILED, Status.LOST)

    @property
    def downloading(self) -> bool:
        return self.download is not None and self.download.under_way and self.place is None

    @property
    def here(self) -> bool:
        """Whether it can be trained without anything being downloaded."""
        return self.imported or self.place is not None


def base_models() -> list[BaseModelState]:
    """Every base model the studio knows, those of administrators last. Four queries, however many there are."""
    specs = [*load().values(), *(local_spec(row) for row in LocalModel.objects.all())]
    return _states(specs)


def base_model(key: str) -> BaseModelState | None:
    """The base model of that key, or None."""
    spec = load().get(key)
    if spec is None:
        row = LocalModel.objects.filter(key=key).first()
        spec = local_spec(row) if row else None
    return _states([spec])[0] if spec else None


def _states(specs: list[BaseModel]) -> list[BaseModelState]:
    keys = [spec.key for spec in specs]
    rows = BaseModelImport.objects.filter(key__in=keys).select_related("run")
    downloads = {row.key: row for row in BaseModelDownload.objects.filter(key__in=keys)}
    imports = {row.key: row.run for row in rows if row.run}
    made = Artifact.objects.filter(produced_by__in=imports.values(), role="model", ready=True).order_by("attempt")
    artifacts = {artifact.produced_by_id: artifact for artifact in made}
    states = []
    for spec in specs:
        run, download = imports.get(spec.key), downloads.get(spec.key)
        place = spec.source.local()
        if place is None and download and download.state == "DONE" and (folder := download_folder(spec.key)).is_dir():
            place = folder
        states.append(BaseModelState(spec, artifacts.get(run.pk) if run else None, run, place, download))
    return states


def download_folder(key: str) -> Path:
    """Where a base model from the hub is put."""
    folder: Path = settings.STUDIO_HOME / "models" / key
    return folder


def models_dir() -> Path | None:
    """The folder under which administrators may add models by path (``STUDIO_MODELS_DIR``), or None."""
    value = os.environ.get("STUDIO_MODELS_DIR", "").strip()
    return Path(value).resolve() if value else None


def local_spec(row: LocalModel) -> BaseModel:
    """A model of an administrator, in the shape of the catalogue's."""
    family = Family("local", "On this machine", "added here", row.licence or "not stated", "", "", ())
    root = models_dir()
    return BaseModel(
        key=row.key,
        name=row.name,
        family=family,
        parameters=row.parameters,
        context=row.context,
        memory_fp16=2 * row.parameters,
        memory_4bit=int(0.6 * row.parameters),
        instruct=True,
        hardware="",
        summary=f"Added from {row.path}.",
        source=Source(path=str(root / row.path) if root else row.path),
    )


def models_of(project: Project) -> list[Artifact]:
    """The project's ready models, newest first: adapters, soft prompts, merged models, quantised files."""
    made = Artifact.objects.filter(project=project, kind__in=MODEL_KINDS, ready=True)
    return list(made.select_related("produced_by").order_by("-created_at"))


def chattable(project: Project) -> list[Artifact]:
    """What can be chatted with in this project: its own models, and the base models that are on this machine."""
    return [*models_of(project), *(state.artifact for state in base_models() if state.artifact)]
