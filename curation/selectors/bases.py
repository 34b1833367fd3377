"""Models that can be trained: the quality gate looks at pairs with the chat template and tokenizer of one of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from catalogue.selectors import base_models, models_of
from catalogue.tree import model_name
from projects.models import Project
from projects.registries import provided
from runs.models import Artifact

KIND = "hf-model"


@dataclass(frozen=True)
class Base:
    """A model on this machine that training may start from; ``planned`` is the one that the project's plan names."""

    artifact: Artifact
    name: str
    planned: bool = False

    @property
    def key(self) -> str:
        return str(self.artifact.pk)


def bases_of(project: Project) -> list[Base]:
    """Base models that were imported, the planned one first, then the project's own merged models. As many queries for any number."""
    planned = _planned_key(project)
    imported = [Base(state.artifact, state.name, state.key == planned) for state in base_models() if state.artifact]
    merged = [Base(one, model_name(one)) for one in models_of(project) if one.kind == KIND]
    return [*sorted(imported, key=lambda one: not one.planned), *merged]


def _planned_key(project: Project) -> str:
    """Of the base model in the project's plan, which a higher room makes; empty without one."""
    plan = next((answer for answer in provided("plan", project) if isinstance(answer, Mapping)), {})
    return str(plan.get("base_key") or "")
