"""Documents and search on the rail, and clearing up after a project."""

from projects.models import Project
from projects.registries import TabState, on_project_delete, project_tab
from retrieval.selectors import document_counts, index_of
from retrieval.services import project_erase


@project_tab("documents", title="Documents", icon="files", order=20, url_name="retrieval:documents")
def documents(project: Project) -> TabState:
    counts = document_counts(project)
    if not counts["all"]:
        return TabState("empty")
    state = "working" if counts["reading"] else "needs_you" if counts["failed"] or counts["waiting"] else "ready"
    return TabState(state, counts["all"])  # type: ignore[arg-type]


@project_tab("search", title="Search", icon="search", order=30, url_name="retrieval:search")
def search(project: Project) -> TabState:
    index = index_of(project)
    return TabState("ready", index.chunk_count) if index and index.chunk_count else TabState("empty")


on_project_delete(project_erase)
