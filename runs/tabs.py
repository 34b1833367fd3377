"""Runs on the rail, live work in the top bar, and clearing up after a project."""

from typing import Any

from projects.models import Project, User
from projects.registries import State, TabState, on_project_delete, project_tab, provides
from runs.selectors import run_counts, running_for
from runs.services import runs_delete_for


@project_tab("runs", title="Runs", icon="activity", order=60, url_name="runs:list")
def runs(project: Project) -> TabState:
    counts = run_counts(project)
    state: State = "working" if counts["live"] else "ready" if counts["all"] else "empty"
    return TabState(state, counts["all"] or None)


@provides("running")
def running(user: User) -> list[dict[str, Any]]:
    return running_for(user)


@provides("deletion_obstacles")
def live_runs(project: Project) -> list[str]:
    return ["Stop the project's runs first."] if run_counts(project)["live"] else []


on_project_delete(runs_delete_for)
