"""The base models that the studio knows, read from data/base_models.toml into typed objects."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "base_models.toml"


class CatalogueError(Exception):
    """The data file is not right; says which entry and why."""


@dataclass(frozen=True)
class Source:
    """Where a model comes from: a ``file`` inside an installed ``package``, a ``hub`` repository, or a ``path`` on
    this machine.

    A file too large for one package comes in ``parts`` ("package/file" each), which are put together and checked
    against ``sha256``.
    """

    package: str = ""
    file: str = ""
    parts: tuple[str, ...] = ()
    sha256: str = ""
    distribution: str = ""
    hub: str = ""
    path: str = ""

    def local(self) -> Path | None:
        """The file or folder (of several parts the first) if all of it is on this machine."""
        if self.path:
            place = Path(self.path)
            return place if place.exists() else None
        if self.parts:
            files = self.part_files()
            return files[0] if len(files) == len(self.parts) else None
        return _package_file(self.package, self.file) if self.package else None

    def part_files(self) -> list[Path]:
        """Those of the parts that are on this machine, in order."""
        found = (_package_file(*part.split("/", 1)) for part in self.parts)
        return [file for file in found if file]


def _package_file(package: str, name: str) -> Path | None:
    """A file of an installed package, found without importing the package."""
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec else []
    return next((file for place in places if (file := Path(place) / name).exists()), None)


@dataclass(frozen=True)
class Family:
    key: str
    name: str
    maker: str
    licence: str
    licence_note: str
    about: str
    strengths: tuple[str, ...]
    paper: str = ""


@dataclass(frozen=True)
class BaseModel:
    """One base model. Memory in bytes, parameters in units, context in tokens; benchmark figures in percent, as their
    makers report them.
    """

    key: str
    name: str
    family: Family
    parameters: int
    context: int
    memory_fp16: int
    memory_4bit: int
    instruct: bool
    hardware: str
    summary: str
    source: Source
    languages: str = "English"
    best_for: tuple[str, ...] = ()
    benchmarks: dict[str, float] = field(default_factory=dict)

    @property
    def licence(self) -> str:
        return self.family.licence

    @property
    def strengths(self) -> tuple[str, ...]:
        return self.best_for or self.family.strengths

    @property
    def size(self) -> str:
        """Parameters as people say them: 135M, 3.8B."""
        if self.parameters < 10**9:
            return f"{self.parameters / 10**6:.0f}M"
        return f"{self.parameters / 10**9:.1f}".removesuffix(".0") + "B"


BENCHMARKS = ("MMLU", "HellaSwag", "GSM8K", "HumanEval", "ARC-Challenge", "TruthfulQA")


def parse(data: dict[str, Any]) -> dict[str, BaseModel]:
    """Raises ``CatalogueError`` naming the first entry that is wrong."""
    families = {key: _build(Family, key, entry) for key, entry in data.get("family", {}).items()}
    found: dict[str, BaseModel] = {}
    for key, entry in data.get("model", {}).items():
        entry = dict(entry)
        if entry.get("family") not in families:
            raise CatalogueError(f"{key}: there is no family {entry.get('family')!r}.")
        entry["family"] = families[entry["family"]]
        entry["source"] = _build(Source, None, entry.get("source", {}), name=key)
        model = _build(BaseModel, key, entry)
        _check(model)
        found[key] = model
    if not found:
        raise CatalogueError("There are no models.")
    return found


def _build(kind: type, key: str | None, entry: dict[str, Any], name: str = "") -> Any:
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    try:
        return kind(**({"key": key} if key else {}), **values)
    except TypeError as error:
        raise CatalogueError(f"{key or name}: {error}") from error


def _check(model: BaseModel) -> None:
    for name in ("parameters", "context", "memory_fp16", "memory_4bit"):
        if not isinstance(getattr(model, name), int) or getattr(model, name) <= 0:
            raise CatalogueError(f"{model.key}: {name} must be a whole number above zero.")
    if bool(model.source.package) == bool(model.source.hub):
        raise CatalogueError(f"{model.key}: its source must be either a package or a hub repository.")
    if model.source.package and not model.source.file:
        raise CatalogueError(f"{model.key}: the source names a package but no file.")
    if model.source.parts and len(model.source.sha256) != 64:
        raise CatalogueError(f"{model.key}: a file in parts needs its sha256.")
    if model.memory_4bit > model.memory_fp16:
        raise CatalogueError(f"{model.key}: 4-bit weights cannot need more memory than 16-bit ones.")
    for name, value in model.benchmarks.items():
        if name not in BENCHMARKS or not 0 <= value <= 100:
            raise CatalogueError(f"{model.key}: {name!r} must be one of {', '.join(BENCHMARKS)}, in percent.")


@cache
def load() -> dict[str, BaseModel]:
    """Key → model, in the order of the file: families together, small before large."""
    with open(DATA, "rb") as file:
        return parse(tomllib.load(file))
