"""Team and settings on the rail."""

from projects.models import Project
from projects.registries import TabState, project_tab


@project_tab("team", title="Team", icon="users", order=900, url_name="projects:team")
def team(project: Project) -> TabState:
    return TabState("ready", project.memberships.count())


@project_tab("settings", title="Settings", icon="settings", order=910, url_name="projects:settings", can="own")
def settings(project: Project) -> TabState:
    return TabState("ready")
