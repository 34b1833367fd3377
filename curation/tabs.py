"""Pairs and datasets on the rail, and what lower floors ask of curation."""

from typing import Any
from uuid import UUID

from curation.models import DatasetVersion
from curation.selectors import made_from, pair_counts, questions_of
from projects.models import Project
from projects.registries import TabState, dependents, project_tab, provides


@project_tab("pairs", title="Pairs", icon="messages-square", order=40, url_name="curation:pairs")
def pairs(project: Project) -> TabState:
    counts = pair_counts(project)
    return TabState("needs_you" if counts["waiting"] else "ready" if counts["all"] else "empty", counts["all"] or None)


@project_tab("datasets", title="Datasets", icon="database", order=50, url_name="curation:datasets")
def datasets(project: Project) -> TabState:
    versions = DatasetVersion.objects.filter(project=project).count()
    return TabState("ready" if versions else "empty", versions or None)


@provides("questions")
def questions(project: Project) -> list[tuple[str, UUID, int, int]]:
    return questions_of(project)


@dependents("document_version")
def made_from_version(versions: list[UUID], mark: bool) -> list[dict[str, Any]]:
    return made_from(versions, stale=mark)
