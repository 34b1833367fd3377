"""What is marked in a run's charts: the budget for forgetting and where it was broken, checkpoints, and the step that was kept."""

from typing import Any

from engine import registry
from runs.curves import Point
from runs.models import Run

MOST_CHECKPOINTS = 200
BUDGET = "general_budget"


def checkpoint_steps(run: Run) -> list[int]:
    """Steps after which a checkpoint was saved, the latest ``MOST_CHECKPOINTS`` of them, each once."""
    saved = run.events.filter(type="checkpoint").order_by("-seq").values_list("data__step", flat=True)[:MOST_CHECKPOINTS]
    return sorted(set(saved))


def chart_lines(run: Run, general: list[Point]) -> list[dict[str, Any]]:
    """Lines for ``run_charts``; ``general`` is the curve of the loss on general texts."""
    return [*_budget(run, general), *_kept(run)]


def budget_of(run: Run) -> float | None:
    """How far the loss on general texts may rise, in nats a token; None where the stage knows no such budget."""
    asked = registry.get(run.stage).schema().get("properties", {}).get(BUDGET)
    return run.params.get(BUDGET, asked.get("default")) if asked else None


def _budget(run: Run, general: list[Point]) -> list[dict[str, Any]]:
    allowed = budget_of(run)
    if not general or allowed is None:
        return []
    limit = general[0][1] + allowed
    lines = [{"axis": "y", "value": limit, "label": "Budget for forgetting", "charts": ["loss"]}]
    broken = next((step for step, loss in general if loss > limit), None)
    if broken is not None:
        lines.append({"axis": "x", "value": broken, "label": "Budget broken", "tone": "bad", "charts": ["loss"]})
    return lines


def _kept(run: Run) -> list[dict[str, Any]]:
    step = run.summary.get("handed_over_step")
    return [] if step is None else [{"axis": "x", "value": step, "label": "Kept", "charts": ["loss"]}]
