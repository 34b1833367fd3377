"""Evaluate on the rail, and scores for the pages of lower floors."""

from collections.abc import Iterable
from typing import Any

from evaluation.models import Report
from evaluation.selectors import scores_of
from projects.models import Project
from projects.registries import TabState, project_tab, provides
from runs.models import ACTIVE, PENDING, Artifact, Run


@project_tab("evaluate", title="Evaluate", icon="gauge", order=80, url_name="evaluation:list")
def evaluate(project: Project) -> TabState:
    count = Report.objects.filter(project=project).count()
    if Run.objects.filter(project=project, stage="evaluate", status__in=[*ACTIVE, *PENDING]).exists():
        return TabState("working", count or None)
    return TabState("ready" if count else "empty", count or None)


@provides("scores")
def scores(models: Iterable[Artifact]) -> dict[Any, dict[str, Any]]:
    """Artifact id → figures of its latest report."""
    return scores_of(models)


@provides("model_reports")
def model_reports(keys: Iterable[Any]) -> list[Report]:
    """The reports about any of the artifacts with these ids, newest first, for model cards."""
    return list(Report.objects.filter(adapter__in=list(keys)).select_related("project").order_by("-created_at"))
