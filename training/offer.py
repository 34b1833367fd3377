"""What can be chosen for a method: data that has what it needs, teachers, adapters to go on from."""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from django.db.models import Q

from catalogue.selectors import BaseModelState, base_models
from catalogue.tree import model_name
from catalogue.writers import Writer, writers
from curation.documents import current_versions
from projects.models import Project
from runs.artifacts import artifact_path
from runs.models import Artifact
from training.methods import Method, methods
from training.preflight import FEWEST_PAIRS
from training.selectors import dataset_label, datasets_of


@dataclass(frozen=True)
class Reading:
    """The project's documents as they stand: how many have been read, and how much text they hold."""

    documents: int = 0
    characters: int = 0


@dataclass(frozen=True)
class Offer:
    """For one project and method. ``refused``: (name, reason) of the datasets that lack what the method needs."""

    methods: dict[str, Method]
    bases: list[BaseModelState]
    datasets: list[Artifact] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    teachers: list[tuple[str, str]] = field(default_factory=list)  # artifact id, name
    adapters: list[Artifact] = field(default_factory=list)
    rewards: list[Artifact] = field(default_factory=list)  # reward models
    writers: list[Writer] = field(default_factory=list)
    reading: Reading = Reading()


def offer(project: Project, method: Method, base_key: str) -> Offer:
    """What the page of ``method`` offers on the base model ``base_key``, or on the first that is here."""
    there, bases = methods(), base_models()
    here = {state.key: state.artifact for state in bases if state.here}
    base = here.get(base_key) if base_key in here else next(iter(here.values()), None)
    datasets, refused = _datasets(project, method)
    return Offer(
        methods=there,
        bases=bases,
        datasets=datasets,
        refused=refused,
        teachers=_teachers(project, bases) if "teacher" in method.needs else [],
        adapters=adapters_on(project, base) if base and method.takes("adapter") else [],
        rewards=adapters_on(project, base, "reward-model") if base and "reward" in method.needs else [],
        writers=writers(project) if method.asks else [],
        reading=_reading(project) if any("documents" in one.needs for one in there.values()) else Reading(),
    )


def _datasets(project: Project, method: Method) -> tuple[list[Artifact], list[tuple[str, str]]]:
    """Those that suit, newest first, and the others with the reason."""
    found, refused = [], []
    for dataset in datasets_of(project):
        if "preferences" in method.needs and (count := preference_rows(dataset)) < FEWEST_PAIRS:
            has = f"has only {count}" if count else "has none"
            refused.append((dataset_label(dataset), f"{has} of the pairs with a rejected answer that {method.title} learns from"))
        else:
            found.append(dataset)
    return found, refused


def preference_rows(dataset: Artifact) -> int:
    """How many rows have a rejected answer: written down when the version was cut, and counted once for older ones."""
    known = dataset.facts.get("preference")
    return known if isinstance(known, int) else _rejected(artifact_path(dataset), dataset.sha256)


@lru_cache(maxsize=256)
def _rejected(folder: Path, sha256: str) -> int:
    count = 0
    for split in ("train", "validation", "test"):
        path = folder / f"{split}.jsonl"
        if not path.is_file():
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if '"rejected"' in line:
                    try:
                        count += bool(json.loads(line).get("rejected"))
                    except (ValueError, AttributeError):
                        continue
    return count


def _teachers(project: Project, bases: list[BaseModelState]) -> list[tuple[str, str]]:
    """Whole models on this machine: imported base models, largest first, then the project's own."""
    imported = sorted((state for state in bases if state.artifact), key=lambda state: -state.spec.parameters)
    own = Artifact.objects.filter(project=project, kind="hf-model", ready=True).select_related("produced_by").order_by("-created_at")
    found = [(str(state.artifact.pk), f"{state.name}, {state.spec.size} parameters") for state in imported if state.artifact]
    return found + [(str(artifact.pk), f"{model_name(artifact)}, made {artifact.created_at:%-d %b %Y}") for artifact in own]


def adapters_on(project: Project, base: Artifact, kind: str = "adapter") -> list[Artifact]:
    """The project's adapters that were trained on ``base``, or what else of that ``kind`` was, newest first."""
    on_base = Q(produced_by__inputs__role="model", produced_by__inputs__artifact=base)
    return list(
        Artifact.objects.filter(on_base, project=project, kind=kind, ready=True).select_related("produced_by").order_by("-created_at")
    )


def _reading(project: Project) -> Reading:
    versions = current_versions(project)
    return Reading(len(versions), sum(version.characters or 0 for version in versions))
