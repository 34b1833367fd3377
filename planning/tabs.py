"""The plan on the rail, and what training asks of it."""

from typing import Any

from planning.models import Plan
from planning.selectors import plan_for_training
from projects.models import Project
from projects.registries import TabState, project_tab, provides


@project_tab("plan", title="Plan", icon="compass", order=10, url_name="planning:plan")
def plan(project: Project) -> TabState:
    return TabState("ready" if Plan.objects.filter(project=project).exists() else "empty")


@provides("plan")
def plan_provided(project: Project) -> dict[str, Any] | None:
    return plan_for_training(project)
