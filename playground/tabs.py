"""Chat on the rail, and what it adds to the pages of pairs."""

from typing import Any
from uuid import UUID

from django.urls import reverse

from playground.selectors import CHATTABLE, pair_came_from, rated_count
from playground.services import citations_erase, conversations_delete_for
from projects.models import Project, User
from projects.registries import TabState, erases, on_project_delete, project_tab, provides
from projects.roles import may
from runs.models import Artifact


@project_tab("chat", title="Chat", icon="message-square", order=90, url_name="playground:chat")
def chat(project: Project) -> TabState:
    there = Artifact.objects.filter(project=project, kind__in=CHATTABLE, ready=True).exists()
    return TabState("ready" if there else "empty")


@provides("pairs_tabs")
def rated_tab(project: Project, current: str) -> list[dict[str, Any]]:
    """For reviewers: the answers that were rated in chat."""
    if not may(project.role, "review"):  # type: ignore[attr-defined] (set by the guard)
        return []
    url = reverse("playground:rated", args=[project.slug])
    return [{"title": "From chat", "url": url, "current": current == "rated", "count": rated_count(project) or None}]


@provides("pair_came_from")
def rated_answer_of(project: Project, user: User, pair: UUID) -> dict[str, str] | None:
    return pair_came_from(project, user, pair)


@erases("document_version")
def erase_citations(project: Project, versions: list[UUID]) -> None:
    citations_erase(project=project, versions=versions)


on_project_delete(conversations_delete_for)
