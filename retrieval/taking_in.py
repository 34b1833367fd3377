"""What retrieval does with what runs make and how they end, and where their stages get embeddings."""

from catalogue.serving import embedder_endpoint
from retrieval.services import chunks_take_in, run_ended
from runs.models import Artifact, Run
from runs.registries import EndpointAccess, endpoint_for, on_artifact, on_run_end

RUN_SECONDS = 14 * 24 * 3600.0  # a run keeps the access it was started with


@on_artifact("chunks")
def take_in_chunks(artifact: Artifact) -> None:
    chunks_take_in(artifact)


@on_run_end
def reading_ended(run: Run) -> None:
    run_ended(run)


@endpoint_for("embeddings")
def embeddings(run: Run) -> EndpointAccess:
    found = embedder_endpoint(ttl_seconds=RUN_SECONDS)
    return EndpointAccess(found.url, found.token, found.model)
