"""Pairs and datasets on the rail, and what lower floors ask of curation."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from curation.gate import last_report
from curation.models import DatasetVersion
from curation.selectors.imports import begun_again_at
from curation.selectors.pairs import made_from, pair_counts, questions_of
from curation.services import evidence_erase
from curation.services.export_chores import exports_forget
from projects.models import Project
from projects.registries import TabState, dependents, erases, on_project_delete, project_tab, provides
from runs.models import Artifact, Run


@project_tab("pairs", title="Pairs", icon="messages-square", order=40, url_name="curation:pairs")
def pairs(project: Project) -> TabState:
    counts = pair_counts(project)
    return TabState("needs_you" if counts["waiting"] else "ready" if counts["all"] else "empty", counts["all"] or None)


@project_tab("quality", title="Quality", icon="shield-check", order=45, url_name="curation:quality")
def quality(project: Project) -> TabState:
    report = last_report(project)
    return TabState("empty" if report is None else "needs_you" if report.verdict == "fail" else "ready")


@project_tab("datasets", title="Datasets", icon="database", order=50, url_name="curation:datasets")
def datasets(project: Project) -> TabState:
    versions = DatasetVersion.objects.filter(project=project).count()
    return TabState("ready" if versions else "empty", versions or None)


@provides("titles")
def titles(artifacts: Iterable[Artifact]) -> dict[UUID, str]:
    """Artifact id → what its dataset version is called."""
    return {version.artifact_id: str(version) for version in DatasetVersion.objects.filter(artifact__in=artifacts)}


@provides("questions")
def questions(project: Project) -> list[tuple[str, UUID, int, int]]:
    return questions_of(project)


@provides("begun_again_at")
def import_again(run: Run) -> dict[str, str] | None:
    return begun_again_at(run)


@dependents("document_version")
def made_from_version(versions: list[UUID], mark: bool) -> list[dict[str, Any]]:
    return made_from(versions, mark=mark)


@erases("document_version")
def erase_evidence(project: Project, versions: list[UUID]) -> None:
    evidence_erase(project=project, versions=versions)
    exports_forget(project=project, why="A document was erased meanwhile, and the file with it. Export again.")


@on_project_delete
def remove_exports(project: Project) -> None:
    exports_forget(project=project, why="The project was deleted.")
