"""One request's work with a model: queued, in a thread, watched for a caller who goes away."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from engine.grants import Servable
from engine.serve.embedder import Embedded
from engine.serve.errors import ApiError, crashed
from engine.serve.requests import ChatRequest, CompletionRequest
from engine.serve.shelf import Shelf, in_thread
from engine.serve.writing import Answer, Sampling, Stopped, TextModel

WRITERS = ("gguf-model", "hf-model", "adapter", "soft-prompt")


@dataclass(frozen=True)
class Finished:
    """The end of an answer. Counts are tokens."""

    prompt_tokens: int
    completion_tokens: int
    finish_reason: str


async def answer(shelf: Shelf, servable: Servable, request: ChatRequest | CompletionRequest) -> AsyncIterator[str | Finished]:
    """Text as it is written, then ``Finished``. Closing the iterator stops the model."""
    if servable.kind not in WRITERS:
        raise ApiError(
            400,
            "model_kind",
            "This model makes embeddings; it does not write.",
            where="model",
            mend="Choose a language model.",
        )
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | Finished | Exception] = asyncio.Queue()
    gone = threading.Event()

    def tell(item: str | Finished | Exception) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, item)

    async def work() -> None:
        try:
            async with shelf.borrow(servable) as model:
                await in_thread(lambda: tell(_write(model, request, tell, gone.is_set)))
        except Exception as error:
            queue.put_nowait(error)

    task = asyncio.create_task(work())
    try:
        while True:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            yield item
            if isinstance(item, Finished):
                return
    finally:
        gone.set()
        task.cancel()  # leaves the queue; a running thread sees ``gone`` at its next token


def _write(model: TextModel, request: ChatRequest | CompletionRequest, send: Callable[[str], None], gone: Callable[[], bool]) -> Finished:
    tokens = model.chat_tokens(request.messages) if isinstance(request, ChatRequest) else model.text_tokens(request.prompt)
    if not tokens:
        raise ApiError(400, "empty_prompt", "The prompt is empty.", where="prompt", mend="Send some text.")
    room = model.context - len(tokens)
    if room < 1:
        raise ApiError(
            400,
            "context_length_exceeded",
            f"The prompt has {len(tokens)} tokens; this model takes {model.context} for prompt and answer together.",
            where="messages" if isinstance(request, ChatRequest) else "prompt",
            mend=f"Shorten it by at least {1 - room} tokens.",
        )
    most = min(request.max_tokens, room)
    written = Answer(request.stop, most, send)
    model.generate(
        tokens,
        Sampling(request.temperature, request.top_p, request.seed),
        most,
        lambda piece: written.write(piece) and not gone(),
        gone,
    )
    written.end()
    return Finished(len(tokens), written.tokens, written.finish_reason)


async def embed(shelf: Shelf, servable: Servable, texts: list[str]) -> tuple[Embedded, int]:
    """The vectors, and the model's limit in tokens. Cancelling stops between two batches."""
    if servable.kind != "embedder":
        raise ApiError(400, "model_kind", "This model writes; it makes no embeddings.", where="model", mend="Choose an embedder.")
    gone = threading.Event()

    async def work() -> tuple[Embedded, int]:
        async with shelf.borrow(servable) as model:
            return await in_thread(lambda: model.embed(texts, gone.is_set)), model.limit

    task = asyncio.create_task(work())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        gone.set()
        task.cancel()
        raise


def as_api_error(error: Exception) -> ApiError:
    """``error`` as it is told; what nobody foresaw goes to the log whole."""
    if isinstance(error, ApiError):
        return error
    if not isinstance(error, Stopped):
        import logging

        logging.getLogger("engine.serve").error("A model stopped", exc_info=error)
    return crashed(error)
