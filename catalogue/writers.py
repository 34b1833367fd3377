"""Models that can be asked to write: those on this machine, and those of a project's endpoints."""

from dataclasses import dataclass
from uuid import UUID

from catalogue.selectors import chattable
from catalogue.serving import ServingError, artifact_endpoint
from catalogue.tree import model_name
from projects.endpoints import EndpointError, endpoint_key, endpoint_reach
from projects.models import Endpoint, Project
from runs.models import Artifact, Run
from runs.registries import EndpointAccess, endpoint_for

RUN_SECONDS = 7 * 24 * 3600.0  # how long a run may go on asking an embedded model


@dataclass(frozen=True)
class Writer:
    """A model that may be asked. ``host`` is where what it is told goes to, empty for this machine.

    Prices are for a million tokens.
    """

    key: str
    name: str
    host: str = ""
    price_in: float = 0.0
    price_out: float = 0.0

    @property
    def here(self) -> bool:
        return not self.host


def writers(project: Project) -> list[Writer]:
    """What may be asked in ``project``: its models and the base models of this machine, then its endpoints."""
    here = [Writer(f"artifact:{artifact.pk}", model_name(artifact)) for artifact in chattable(project)]
    return [*here, *(_of(endpoint) for endpoint in project.endpoints.all())]


def writer_find(project: Project, key: str) -> Writer | None:
    """The writer of that key, None for one that ``project`` may not ask (any more)."""
    return next((writer for writer in writers(project) if writer.key == key), None)


def writer_access(project: Project, key: str) -> EndpointAccess:
    """How to ask it, its secrets included. Raises ``ServingError`` for one that ``project`` may not ask (any more)."""
    kind, _, pk = key.partition(":")
    if writer_find(project, key) is None:
        raise ServingError("The model that was chosen for this is not there any more. Choose another.")
    if kind == "artifact":
        found = artifact_endpoint(Artifact.objects.get(pk=UUID(pk)), ttl_seconds=RUN_SECONDS)
        return EndpointAccess(found.url, found.token, found.model)
    endpoint = Endpoint.objects.get(pk=UUID(pk), project=project)
    try:
        token = endpoint_key(endpoint) or "none"  # the client needs one; servers without keys pass over it
    except EndpointError as error:
        raise ServingError(str(error)) from error
    return EndpointAccess(endpoint.url, token, endpoint.model, endpoint_reach(endpoint))


@endpoint_for("chat")
def chat(run: Run) -> EndpointAccess:
    """The model that the run's ``endpoint`` parameter names; nowhere for a run that asks none."""
    key = str(run.params.get("endpoint", ""))
    if not key:
        return EndpointAccess("", "", "")
    if run.project is None:
        raise ServingError("Only a project's run may ask a model.")
    return writer_access(run.project, key)


def _of(endpoint: Endpoint) -> Writer:
    return Writer(f"endpoint:{endpoint.pk}", f"{endpoint.name} ({endpoint.model})", endpoint.host, endpoint.price_in, endpoint.price_out)
