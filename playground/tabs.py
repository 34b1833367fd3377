"""Chat on the rail."""

from playground.selectors import CHATTABLE
from playground.services import conversations_delete_for
from projects.models import Project
from projects.registries import TabState, on_project_delete, project_tab
from runs.models import Artifact


@project_tab("chat", title="Chat", icon="message-square", order=90, url_name="playground:chat")
def chat(project: Project) -> TabState:
    there = Artifact.objects.filter(project=project, kind__in=CHATTABLE, ready=True).exists()
    return TabState("ready" if there else "empty")


on_project_delete(conversations_delete_for)
