"""Chat on the rail."""

from uuid import UUID

from playground.selectors import CHATTABLE
from playground.services import citations_erase, conversations_delete_for
from projects.models import Project
from projects.registries import TabState, erases, on_project_delete, project_tab
from runs.models import Artifact


@project_tab("chat", title="Chat", icon="message-square", order=90, url_name="playground:chat")
def chat(project: Project) -> TabState:
    there = Artifact.objects.filter(project=project, kind__in=CHATTABLE, ready=True).exists()
    return TabState("ready" if there else "empty")


@erases("document_version")
def erase_citations(project: Project, versions: list[UUID]) -> None:
    citations_erase(project=project, versions=versions)


on_project_delete(conversations_delete_for)
