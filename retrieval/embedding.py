"""Vectors of questions, from the same model that made the index."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from catalogue.serving import ServingError, embedder_endpoint
from engine import endpoint

BATCH = 32


class EmbedderAway(Exception):
    """The embedding server does not answer. Full-text search works without it."""


def embed(texts: Sequence[str]) -> Any:
    """A float32 matrix with a row of unit length a text. Raises ``EmbedderAway``."""
    try:
        return endpoint.embed(embedder_endpoint(), list(texts), batch=BATCH)
    except endpoint.EndpointError as error:
        raise EmbedderAway(f"{error.message} {error.mend}") from error
    except ServingError as error:
        raise EmbedderAway(str(error)) from error


@lru_cache(maxsize=512)
def embed_question(text: str, model: str) -> Any:
    """The vector of one question. The latest ones are kept: asking again in another mode costs nothing."""
    return embed([text])[0]
