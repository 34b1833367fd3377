"""The routes of ``engine serve`` and its start."""

import asyncio
import base64
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from engine import grants
from engine.grants import Servable
from engine.serve.errors import ApiError
from engine.serve.requests import ChatRequest, CompletionRequest, EmbeddingRequest, parse
from engine.serve.shelf import Shelf, memory_budget
from engine.serve.work import Finished, answer, as_api_error, embed

SECRET_VARIABLE = "STUDIO_SERVE_SECRET"  # noqa: S105  the name, not the secret
HOSTS = ("127.0.0.1", "localhost")
LARGEST_BODY = 8 * 2**20  # bytes: 2,048 texts of a page each
GRACE = 5  # seconds after SIGTERM in which answers in progress are told of it and models that are being loaded arrive
T = TypeVar("T")


def make_app(secret: str, shelf: Shelf) -> Starlette:
    def grant_of(http: HttpRequest) -> dict[str, Servable]:
        scheme, _, token = http.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise ApiError(
                401,
                "no_token",
                "The request carries no token.",
                where="Authorization",
                mend="Send the grant as a bearer token.",
            )
        try:
            return grants.check(secret, token).models
        except grants.GrantError as error:
            raise ApiError(401, error.code, str(error), where="Authorization", mend="Ask the studio for a new one.") from error

    def granted(models: dict[str, Servable], name: str) -> Servable:
        if name not in models:
            raise ApiError(
                404,
                "model_not_found",
                f"There is no model {name!r} for this token.",
                where="model",
                mend="GET /v1/models lists those there are.",
            )
        return models[name]

    async def health(http: HttpRequest) -> Response:
        return JSONResponse({"status": "ok", "resident_bytes": psutil.Process().memory_info().rss} | shelf.facts())

    async def models(http: HttpRequest) -> Response:
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "studio", "kind": model.kind}
            for name, model in grant_of(http).items()
        ]
        return JSONResponse({"object": "list", "data": listed})

    async def chat(http: HttpRequest) -> Response:
        allowed = grant_of(http)
        request = parse(ChatRequest, await _body(http))
        return await _answered(http, shelf, granted(allowed, request.model), request)

    async def completions(http: HttpRequest) -> Response:
        allowed = grant_of(http)
        request = parse(CompletionRequest, await _body(http))
        return await _answered(http, shelf, granted(allowed, request.model), request)

    async def embeddings(http: HttpRequest) -> Response:
        allowed = grant_of(http)
        request = parse(EmbeddingRequest, await _body(http))
        work = embed(shelf, granted(allowed, request.model), request.input)
        found, limit = await _unless(work, _hung_up(http), _stopping(http))
        encode: Callable[[Any], Any] = (
            (lambda row: base64.b64encode(row.astype("<f4").tobytes()).decode())
            if request.encoding_format == "base64"
            else lambda row: row.tolist()
        )
        read = sum(min(length, limit) for length in found.lengths)
        cut = [{"index": index, "tokens": length, "read": limit} for index, length in enumerate(found.lengths) if length > limit]
        return JSONResponse(
            {
                "object": "list",
                "model": request.model,
                "data": [{"object": "embedding", "index": index, "embedding": encode(row)} for index, row in enumerate(found.vectors)],
                "usage": {"prompt_tokens": read, "total_tokens": read},
                "truncated": cut,  # beyond OpenAI's: the texts of which the model read only the beginning
            }
        )

    async def fault(http: HttpRequest, error: Exception) -> Response:
        told = as_api_error(error)
        return JSONResponse(told.body(), told.status)

    async def nobody_there(http: HttpRequest, error: Exception) -> Response:
        return Response(status_code=499)  # goes nowhere; without it every hang-up would be a traceback in the log

    async def unknown(http: HttpRequest, error: Exception) -> Response:
        return JSONResponse(ApiError(404, "no_such_path", "There is nothing at this address.", where=http.url.path).body(), 404)

    async def wrong_method(http: HttpRequest, error: Exception) -> Response:
        return JSONResponse(ApiError(405, "method", "This address does not take this method.", where=http.method).body(), 405)

    routes = [
        Route("/health", health),
        Route("/v1/models", models),
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/completions", completions, methods=["POST"]),
        Route("/v1/embeddings", embeddings, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {404: unknown, 405: wrong_method, ApiError: fault, Exception: fault}
    handlers[ClientDisconnect] = nobody_there
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.state.stopping = asyncio.Event()
    app.add_middleware(_OnlyThisHost)
    return app


class _OnlyThisHost:
    """Refuses a request under another name than this machine's own.

    A page in a browser could have had its own name pointed here (DNS rebinding).
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            name, _, port = hosts[0].partition(":") if len(hosts) == 1 else ("", "", "")
            if name.lower() not in HOSTS or (port and not port.isdigit()):
                error = ApiError(
                    400,
                    "host",
                    "This server answers under 127.0.0.1 and localhost only.",
                    where="Host",
                    mend="Use http://127.0.0.1.",
                )
                await JSONResponse(error.body(), 400)(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _body(http: HttpRequest) -> bytes:
    body = bytearray()
    async for part in http.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise ApiError(
                413,
                "too_large",
                f"The request is larger than {LARGEST_BODY // 2**20} MiB.",
                where="body",
                mend="Send it in parts.",
            )
    return bytes(body)


async def _unless(work: Awaitable[T], *ends: Awaitable[Exception]) -> T:
    """The result of ``work``. When one of ``ends`` comes first, ``work`` is cancelled and what it brings is raised."""
    task, others = asyncio.ensure_future(work), [asyncio.ensure_future(end) for end in ends]
    try:
        await asyncio.wait([task, *others], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise next(other.result() for other in others if other.done())
        return task.result()
    finally:
        for one in (task, *others):
            one.cancel()
        await asyncio.wait([task])  # a generator cannot be closed while it is still being cancelled


async def _hung_up(http: HttpRequest) -> Exception:
    while (await http.receive())["type"] != "http.disconnect":
        pass
    return ClientDisconnect()


async def _stopping(http: HttpRequest) -> Exception:
    await http.app.state.stopping.wait()
    return ApiError(503, "stopping", "The server is being stopped.", mend="Ask again once it has started.")


async def _answered(http: HttpRequest, shelf: Shelf, servable: Servable, request: ChatRequest | CompletionRequest) -> Response:
    parts = answer(shelf, servable, request)
    # the first part is waited for before the status is sent: by then the model is loaded and the prompt fits
    first = await _unless(anext(parts), _hung_up(http), _stopping(http))
    shape = _Shape(request)
    if request.stream:
        events = _events(http, first, parts, shape)
        return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
    return JSONResponse(await _unless(_whole(first, parts, shape), _hung_up(http), _stopping(http)))


async def _whole(first: str | Finished, parts: Any, shape: "_Shape") -> dict[str, Any]:
    text, part = "", first
    async with aclosing(parts):
        while not isinstance(part, Finished):
            text += part
            part = await anext(parts)
    return shape.whole(text, part)


async def _events(http: HttpRequest, first: str | Finished, parts: Any, shape: "_Shape") -> AsyncIterator[str]:
    """Server-sent events. An error after the first token comes as one, for the status has been sent."""
    async with aclosing(parts):
        try:
            part = first
            while not isinstance(part, Finished):
                yield _event(shape.piece(part))
                part = await _unless(anext(parts), _stopping(http))
            yield _event(shape.piece("", part.finish_reason))
            if shape.include_usage:
                yield _event(shape.usage_only(part))
        except Exception as error:
            yield _event(as_api_error(error).body())
    yield "data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


class _Shape:
    """An answer in OpenAI's words, of either kind."""

    def __init__(self, request: ChatRequest | CompletionRequest) -> None:
        self._chat = isinstance(request, ChatRequest)
        self.include_usage = request.stream_options.include_usage
        self._head = {
            "id": ("chatcmpl-" if self._chat else "cmpl-") + uuid.uuid4().hex,
            "object": ("chat.completion.chunk" if request.stream else "chat.completion") if self._chat else "text_completion",
            "created": int(time.time()),
            "model": request.model,
        }

    def whole(self, text: str, end: Finished) -> dict[str, Any]:
        said: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if self._chat else {"text": text}
        return self._head | {
            "choices": [{"index": 0, "finish_reason": end.finish_reason, "logprobs": None} | said],
            "usage": _usage(end),
        }

    def piece(self, text: str, finish_reason: str | None = None) -> dict[str, Any]:
        said: dict[str, Any] = {"delta": {"role": "assistant", "content": text}} if self._chat else {"text": text}
        return self._head | {"choices": [{"index": 0, "finish_reason": finish_reason, "logprobs": None} | said]}

    def usage_only(self, end: Finished) -> dict[str, Any]:
        return self._head | {"choices": [], "usage": _usage(end)}


def _usage(end: Finished) -> dict[str, int]:
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.completion_tokens,
        "total_tokens": end.prompt_tokens + end.completion_tokens,
    }


class _Server(uvicorn.Server):
    """Says on standard output where it listens, once it does. Asked to stop, it ends the answers in progress with an error.

    A model may write for minutes, so waiting for the whole answer would only delay the end.
    """

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        print(json.dumps({"url": f"http://127.0.0.1:{port}/v1"}), flush=True)

    async def shutdown(self, sockets: Any = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


def serve(port: int) -> None:
    """Listen on 127.0.0.1 until SIGTERM. ``port`` 0 takes a free one."""
    secret = os.environ.get(SECRET_VARIABLE, "")
    if not secret:
        sys.exit(f"{SECRET_VARIABLE} is not set: the studio sets it when it starts this server.")
    os.environ["HF_HUB_OFFLINE"] = "1"  # models come from the store, never from a hub
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises the signal again once it has closed everything
    app = make_app(secret, Shelf(memory_budget()))
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE)
    _Server(config, app.state.stopping).run()
