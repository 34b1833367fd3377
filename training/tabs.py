"""What training adds to the Runs page and to a run's own page."""

from collections.abc import Iterable
from typing import Any

from django.urls import reverse
from django.utils.html import format_html

from engine import registry
from projects.models import Project
from projects.registries import provides
from runs.models import Run
from training.methods import entries
from training.selectors import pipeline_of, pipeline_runs, step_state
from training.sweep_selectors import sweeps_of


@provides("run_launchers")
def run_launchers(project: Project) -> list[dict[str, str]]:
    return [{"title": "Start training", "url": reverse("training:start", args=[project.slug])}]


@provides("run_groups")
def run_groups(runs: Iterable[Run]) -> dict[Any, dict[str, str]]:
    """The sweep that each of ``runs`` is part of."""
    return {run: {"name": sweep.name, "url": sweep.get_absolute_url()} for run, sweep in sweeps_of(list(runs)).items()}


@provides("run_cards")
def run_cards(run: Run) -> list[dict[str, Any]]:
    """The steps of the run's pipeline, each with its state and a link to its run."""
    if run.project is None or (pipeline := pipeline_of(run)) is None:
        return []
    steps = []
    for step in pipeline_runs(pipeline):
        title = registry.get(step.stage).title
        if step.pk == run.pk:
            title = format_html("<strong>{}</strong>", title)
        elif step.project is not None:  # the import of a base model belongs to no project and has no page
            title = format_html('<a href="{}">{}</a>', step.get_absolute_url(), title)
        steps.append(
            {
                "title": title,
                "state": step_state(step.status),
                "note": "" if step.percent is None or not step.is_active else f"{step.percent}%",
            }
        )
    compare = reverse("training:compare", args=[run.project.slug]) + f"?run={run.pk}" if run.stage in entries() else ""
    return [{"template": "training/pipeline_card.html", "pipeline": pipeline, "steps": steps, "compare": compare, "sweep": pipeline.sweep}]
