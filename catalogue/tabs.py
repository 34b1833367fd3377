"""Models on the rail."""

from catalogue.selectors import MODEL_KINDS
from projects.models import Project
from projects.registries import TabState, project_tab
from runs.models import Artifact


@project_tab("models", title="Models", icon="box", order=70, url_name="catalogue:models")
def models(project: Project) -> TabState:
    count = Artifact.objects.filter(project=project, kind__in=MODEL_KINDS, ready=True).count()
    return TabState("ready" if count else "empty", count or None)
