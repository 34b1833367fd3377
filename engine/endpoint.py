"""The one client of OpenAI-compatible servers, be it ``engine serve`` or any other.

Light: the openai package is imported at the first call.
"""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from engine.addresses import AddressRefused, Reach, guarded_transport

if TYPE_CHECKING:
    import numpy as np

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 300.0  # between two pieces of an answer; the first may wait for a model to load and for others' turns
TRIES = 4
BACK_OFF_SECONDS = 0.5  # before the second try; doubled each time

Message = dict[str, str]  # {"role", "content"}


@dataclass(frozen=True)
class Endpoint:
    """``url`` ends in /v1. ``token``: an API key, or a grant for ``engine serve``; it is never shown.

    ``reach``: which addresses the host may have; only ``chatting`` looks at it."""

    url: str
    token: str = field(repr=False)
    model: str
    reach: Reach = field(default="any", kw_only=True)


@dataclass(frozen=True)
class ChatAnswer:
    """``usage``: tokens, as the server counted (``prompt_tokens``, ``completion_tokens``).

    ``finish_reason``: ``stop`` or ``length``. ``seconds``: from asking to the whole answer, tries included."""

    text: str
    usage: dict[str, int]
    finish_reason: str
    seconds: float


class EndpointError(Exception):
    """The server did not answer as asked. ``message`` says what, ``mend`` what to do.

    ``code``: ``unreachable``, ``address``, ``timeout``, ``token``, ``no_such_model``, ``context_length``, ``busy``, ``refused``,
    ``server`` or ``answer``.
    """

    def __init__(self, code: str, message: str, mend: str) -> None:
        super().__init__(message)
        self.code, self.message, self.mend = code, message, mend


def embed(
    endpoint: Endpoint,
    texts: Sequence[str],
    batch: int = 64,
    on_progress: Callable[[int, int], None] | None = None,
    on_truncated: Callable[[int, int, int], None] | None = None,
) -> "np.ndarray":
    """One float32 row of length 1 for each text.

    ``on_progress(done, total)`` after each request. ``on_truncated(index, tokens, read)`` for each text of which
    the model read only the first ``read`` tokens; servers other than ``engine serve`` do not tell.
    """
    import numpy as np

    blocks = []
    with _client(endpoint) as client:
        for begin in range(0, len(texts), batch):
            part = list(texts[begin : begin + batch])
            answer = _retrying(endpoint, partial(client.embeddings.create, model=endpoint.model, input=part))
            rows = np.array([item.embedding for item in sorted(answer.data, key=lambda item: item.index)], dtype=np.float32)
            if rows.ndim != 2 or len(rows) != len(part):
                raise EndpointError(
                    "answer",
                    f"The server sent {len(rows)} vectors for {len(part)} texts.",
                    "Choose a model made for embeddings.",
                )
            blocks.append(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
            if on_truncated:
                for cut in (answer.model_extra or {}).get("truncated", []):
                    on_truncated(begin + cut["index"], cut["tokens"], cut["read"])
            if on_progress:
                on_progress(begin + len(part), len(texts))
    return np.concatenate(blocks) if blocks else np.empty((0, 0), dtype=np.float32)


def chat(endpoint: Endpoint, messages: Sequence[Message], **options: Any) -> ChatAnswer:
    """The whole answer. ``options``: ``temperature``, ``top_p``, ``max_tokens``, ``stop``, ``seed``, as in OpenAI's."""
    began = time.monotonic()
    with _client(endpoint) as client:
        answer = _retrying(endpoint, lambda: client.chat.completions.create(model=endpoint.model, messages=list(messages), **options))
    return _read(answer, began)


def _read(answer: Any, began: float) -> ChatAnswer:
    """What the server sent, as a ``ChatAnswer``; a body that is nothing of the kind is an ``EndpointError``."""
    if not getattr(answer, "choices", None) or answer.choices[0].message is None:
        raise EndpointError("answer", "The server sent an empty answer.", "Check that the address is an OpenAI-compatible one.")
    choice = answer.choices[0]
    usage = {name: value for name, value in (answer.usage.model_dump() if answer.usage else {}).items() if isinstance(value, int)}
    return ChatAnswer(choice.message.content or "", usage, choice.finish_reason or "stop", time.monotonic() - began)


def chat_stream(endpoint: Endpoint, messages: Sequence[Message], **options: Any) -> Iterator[str]:
    """The answer's pieces as they are written. Closing the iterator stops the model.

    Only the start is tried again, never a broken answer.
    """
    with _client(endpoint) as client:
        stream = _retrying(
            endpoint,
            lambda: client.chat.completions.create(model=endpoint.model, messages=list(messages), stream=True, **options),
        )
        with stream, _told(endpoint):
            for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content


async def chat_stream_async(endpoint: Endpoint, messages: Sequence[Message], **options: Any) -> AsyncIterator[str]:
    """As ``chat_stream``, for an event loop."""
    import openai

    async with openai.AsyncOpenAI(**_settings(endpoint), http_client=openai.DefaultAsyncHttpxClient(verify=_tls())) as client:
        for wait in _waits():
            try:
                stream = await client.chat.completions.create(model=endpoint.model, messages=list(messages), stream=True, **options)
                break
            except openai.OpenAIError as error:
                if wait is None or not _may_pass(error):
                    raise _in_words(endpoint, error) from error
            await asyncio.sleep(wait)
        async with stream:
            with _told(endpoint):
                async for chunk in stream:
                    if chunk.choices and chunk.choices[0].delta.content:
                        yield chunk.choices[0].delta.content


@asynccontextmanager
async def chatting(endpoint: Endpoint, seconds: float = ANSWER_SECONDS) -> AsyncIterator[Callable[..., Awaitable[ChatAnswer]]]:
    """For many questions at once: yields ``ask(messages, **options)``, a coroutine that tries once and may be cancelled.

    ``seconds``: how long one answer may take. Raises ``EndpointError``; whether to ask again is for the caller to judge.
    """
    import openai

    client = openai.DefaultAsyncHttpxClient(transport=guarded_transport(endpoint.reach, verify=_tls()))
    async with openai.AsyncOpenAI(**_settings(endpoint, seconds), http_client=client) as server:

        async def ask(messages: Sequence[Message], **options: Any) -> ChatAnswer:
            began = time.monotonic()
            try:
                async with asyncio.timeout(seconds):  # the client's own limit is between two pieces of an answer
                    answer = await server.chat.completions.create(model=endpoint.model, messages=list(messages), **options)
            except (openai.OpenAIError, AddressRefused, TimeoutError, ValueError) as error:  # ValueError: a body that is no JSON
                raise _in_words(endpoint, error) from error
            return _read(answer, began)

        yield ask


@cache
def _tls() -> ssl.SSLContext:
    """Reading the system's certificates takes 20 ms, so it is done once a process."""
    return ssl.create_default_context()


def _settings(endpoint: Endpoint, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
    import httpx

    # the library's own retries are off: it would also repeat requests that this module judges final
    timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
    return {"base_url": endpoint.url, "api_key": endpoint.token, "max_retries": 0, "timeout": timeout}


def _client(endpoint: Endpoint) -> Any:
    import openai

    return openai.OpenAI(**_settings(endpoint), http_client=openai.DefaultHttpxClient(verify=_tls()))


def _waits() -> Iterator[float | None]:
    """Seconds to wait after each failed try; None after the last."""
    for attempt in range(TRIES - 1):
        yield (BACK_OFF_SECONDS * 2**attempt * random.uniform(0.8, 1.2))  # callers that failed together do not come back together
    yield None


def _retrying(endpoint: Endpoint, ask: Callable[[], Any]) -> Any:
    """``ask()``, tried again where waiting may help. Raises ``EndpointError``."""
    import openai

    for wait in _waits():
        try:
            return ask()
        except openai.OpenAIError as error:
            if wait is None or not _may_pass(error):
                raise _in_words(endpoint, error) from error
        time.sleep(wait)
    raise AssertionError("the last wait is None")


@contextmanager
def _told(endpoint: Endpoint) -> Iterator[None]:
    """Turns what goes wrong in the middle of a stream into ``EndpointError``."""
    import httpx
    import openai

    try:
        yield
    except (openai.OpenAIError, httpx.HTTPError) as error:
        raise _in_words(endpoint, error) from error


def _may_pass(error: Exception) -> bool:
    """True for what waiting may mend: no connection, too many requests, a fault inside. A timeout has waited enough."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return error.status_code == 429 or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError) and not isinstance(error, openai.APITimeoutError)


def _in_words(endpoint: Endpoint, error: Exception) -> EndpointError:
    """``error`` as it is told to a person. Servers other than ``engine serve`` send no ``mend``."""
    import httpx
    import openai

    if isinstance(error, openai.APITimeoutError | httpx.TimeoutException | TimeoutError):
        return EndpointError(
            "timeout",
            f"{endpoint.url} did not answer in time.",
            "Try again when it is less busy, or ask for a shorter answer.",
        )
    if isinstance(error, AddressRefused):
        return EndpointError("address", str(error), "Change the address where the endpoint is registered.")
    if isinstance(error, openai.APIConnectionError | httpx.HTTPError):
        return EndpointError(
            "unreachable",
            f"{endpoint.url} cannot be reached.",
            "Check that the server runs and that the address is right.",
        )
    if not isinstance(error, openai.OpenAIError):
        return EndpointError("answer", "The server sent no valid JSON.", "Check that the address is an OpenAI-compatible one.")
    body = error.body if isinstance(error, openai.APIError) and isinstance(error.body, dict) else {}
    said = str(body.get("message") or getattr(error, "message", error))
    mend = str(body.get("mend") or "")
    status = getattr(error, "status_code", None)
    if status in (401, 403):
        return EndpointError("token", "The server refuses the key.", mend or "Enter a valid key for this server.")
    if status == 404:
        missing = f"The server has no model {endpoint.model!r}."
        return EndpointError("no_such_model", missing, mend or "Choose a model that the server lists, and check the address.")
    if status == 400 and (body.get("code") == "context_length_exceeded" or "context length" in said.lower()):
        return EndpointError("context_length", said, mend or "Shorten the text.")
    if status == 429:
        return EndpointError(
            "busy",
            "The server takes no more requests at present.",
            mend or "Try again later, or raise the limit there.",
        )
    if status is None or status >= 500:
        return EndpointError("server", f"The server failed: {said}", mend or "Look at the server's log, then try again.")
    return EndpointError("refused", said, mend or "Change the request.")
