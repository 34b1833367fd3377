"""Sweeps as a test needs them: asked for, and as they look once their runs have ended."""

import uuid
from typing import Any

from projects.models import Project, User
from runs.models import MetricPoint, Run, Status
from runs.rollups import points_store
from tests.catalogue import made
from training.models import Sweep
from training.services import Step
from training.sweep_selectors import summary
from training.sweeping import sweep_start

RATES = ("learning_rate", [1e-4, 3e-4, 1e-3])
RANKS = ("rank", [8, 16])
STEPS: list[Step] = [{"stage": "sft", "params": {"epochs": 2}}, {"stage": "evaluate", "params": {}}]


def swept(project: Project, by: User, *varied: Any, steps: list[Step] = STEPS, **options: Any) -> Sweep:
    data = options.pop("dataset", None) or made.dataset(project)
    asked = {"key": uuid.uuid4(), "base_key": made.BASE_KEY, **options}
    return sweep_start(project=project, by=by, dataset=data, varied=varied or (RATES,), steps=steps, **asked)


def trainings(sweep: Sweep) -> list[Run]:
    return summary(sweep).runs


def drew(run: Run, losses: list[float], general: list[float] | None = None, *, handed: int | None = None) -> None:
    """Looks after steps 0, 10, 20, …, the run having ended well if one of them was ``handed`` over."""
    for metric, values in (("eval_loss", losses), ("general_loss", general or [])):
        points_store([MetricPoint(run=run, attempt=1, metric=metric, step=10 * n, value=value) for n, value in enumerate(values)])
    if handed is not None:
        Run.objects.filter(pk=run.pk).update(status=Status.SUCCEEDED, summary={"handed_over_step": handed})
