"""One question, answered by one model, with or without the project's documents."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from asgiref.sync import sync_to_async

from catalogue.serving import artifact_endpoint
from engine.endpoint import chat_stream_async
from playground.citing import cite, on_topic
from playground.models import Citation
from playground.prompting import PASSAGES, chat_messages
from projects.models import Project
from retrieval.search import Hit, search
from runs.models import Artifact

MOST_TOKENS = 256


@dataclass
class Answer:
    """Grows while it streams; ``citations`` are there once it is complete."""

    text: str = ""
    citations: list[Citation] = field(default_factory=list)


def find_passages(project: Project, question: str) -> list[Hit]:
    """The passages to answer from; none when the documents have nothing to say about the question."""
    hits = search(project, question, k=PASSAGES)
    return hits if on_topic(hits) else []


async def answer_stream(
    *, project: Project, model: Artifact, question: str, earlier: Sequence[tuple[str, str]] = (), with_documents: bool, answer: Answer
) -> AsyncIterator[str]:
    """Yield the pieces of the answer as the model says them, growing ``answer``.

    Raises ``engine.endpoint.EndpointError`` when the model cannot be reached or refuses, ``ServingError`` when it is not there any more,
    ``EmbedderAway`` and ``StoreError`` when the documents cannot be searched.
    """
    hits = await sync_to_async(find_passages)(project, question) if with_documents else []
    endpoint = await sync_to_async(artifact_endpoint)(model)
    messages = chat_messages(question, earlier, hits)
    async for piece in chat_stream_async(endpoint, messages, max_tokens=MOST_TOKENS, temperature=0.0):
        answer.text += piece
        yield piece
    answer.citations = cite(question, answer.text, hits)
