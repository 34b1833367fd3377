"""What the project's plan says about training, in the shape the form takes. The wizard lives on a higher floor and
answers ``provided("plan")``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from projects.models import Project
from projects.registries import provided
from training.methods import methods


@dataclass(frozen=True)
class PlanDefaults:
    base_key: str = ""
    preset: str = ""
    params: dict[str, dict[str, Any]] = field(default_factory=dict)  # stage → parameters
    stages: tuple[str, ...] = ()  # empty where there is no plan

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods among its stages, in their order."""
        return tuple(stage for stage in self.stages if stage in methods())


def plan_defaults(project: Project) -> PlanDefaults:
    """From the first provider that has a plan; empty where there is none.

    The provider answers ``{"base_key", "preset"?, "steps": [{"stage", "params"}]}`` or None.
    """
    plan = next((answer for answer in provided("plan", project) if isinstance(answer, Mapping)), None)
    if plan is None:
        return PlanDefaults()
    params = {step["stage"]: dict(step.get("params") or {}) for step in plan.get("steps") or [] if step.get("stage")}
    return PlanDefaults(plan.get("base_key") or "", plan.get("preset") or "", params, tuple(params))
