"""What pages read of plans."""

from typing import Any

from planning.models import Plan
from planning.rules import load
from projects.models import Project


def plan_of(project: Project) -> Plan | None:
    """The project's plan: the latest."""
    return Plan.objects.filter(project=project).select_related("created_by").first()


def plan_for_training(project: Project) -> dict[str, Any] | None:
    """In the shape training's form takes: base model and the steps with their parameters."""
    plan = plan_of(project)
    if plan is None:
        return None
    steps = [{"stage": step["stage"], "params": step["params"]} for step in plan.recommendation["steps"]]
    return {"base_key": plan.base_key, "steps": steps, "title": str(plan)}


def answers_in_words(plan: Plan) -> list[tuple[str, str]]:
    """(question, answers) of a stored plan; what the rules no longer ask is left out."""
    rows = []
    for question in load().questions:
        known = {choice.key: choice.label for choice in question.answers}
        chosen = [known[key] for key in plan.answers.get(question.key, []) if key in known]
        rows.append((question.title, ", ".join(chosen) or "Nothing in particular"))
    return rows
