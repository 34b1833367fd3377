"""The client against the real server; a plain fake stands for faults of servers outside this machine."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from engine import endpoint as client
from engine.endpoint import Endpoint, EndpointError
from tests.engine.serving import Serving

MESSAGES = [{"role": "user", "content": "Name three colours."}]


@pytest.fixture
def writer(server: Serving) -> Endpoint:
    return Endpoint(server.url, server.grant(), "writer")


@pytest.fixture
def embedder(server: Serving) -> Endpoint:
    return Endpoint(server.url, server.grant(), "embedder")


@dataclass
class Fake:
    """A server that answers with ``statuses``, one a request; the last one stays."""

    endpoint: Endpoint
    statuses: list[int]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    monkeypatch.setattr(client, "BACK_OFF_SECONDS", 0.01)
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            body = b'{"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [3, 4]}]}'
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body if status == 200 else b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Fake(Endpoint(f"http://127.0.0.1:{server.server_port}/v1", "key", "m"), statuses)
        server.shutdown()


def code_of(call: object) -> str:
    with pytest.raises(EndpointError) as caught:
        call()  # type: ignore[operator]
    assert caught.value.message
    assert caught.value.mend
    return caught.value.code


def test_texts_become_unit_vectors_in_their_order_over_several_batches(embedder: Endpoint) -> None:
    seen: list[tuple[int, int]] = []
    texts = [f"Sentence number {number}." for number in range(5)]
    vectors = client.embed(embedder, texts, batch=2, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.argmax(vectors @ client.embed(embedder, [texts[3]])[0]) == 3


def test_texts_that_were_cut_are_told(embedder: Endpoint) -> None:
    cut: list[tuple[int, int, int]] = []
    client.embed(embedder, ["a", "b", "word " * 400], batch=2, on_truncated=lambda *found: cut.append(found))
    assert cut == [(2, 402, 256)]


def test_an_answer_carries_its_usage_and_reason(writer: Endpoint) -> None:
    answer = client.chat(writer, MESSAGES, temperature=0, max_tokens=8)
    assert answer.text
    assert answer.usage["completion_tokens"] == 8
    assert answer.finish_reason == "length"


async def test_streams_give_the_whole_answer_in_pieces(writer: Endpoint) -> None:
    whole = client.chat(writer, MESSAGES, temperature=0, max_tokens=12).text
    pieces = list(client.chat_stream(writer, MESSAGES, temperature=0, max_tokens=12))
    assert len(pieces) > 3
    assert "".join(pieces) == whole
    awaited = [piece async for piece in client.chat_stream_async(writer, MESSAGES, temperature=0, max_tokens=12)]
    assert "".join(awaited) == whole


async def test_what_is_wrong_is_told_in_words(server: Serving, writer: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BACK_OFF_SECONDS", 0.01)
    assert code_of(lambda: client.chat(Endpoint("http://127.0.0.1:9/v1", "k", "m"), MESSAGES)) == "unreachable"
    assert code_of(lambda: client.chat(Endpoint(server.url, "wrong", "writer"), MESSAGES)) == "token"
    assert code_of(lambda: client.chat(Endpoint(server.url, server.grant(), "none"), MESSAGES)) == "no_such_model"
    long = [{"role": "user", "content": "fox " * 6000}]
    assert code_of(lambda: client.chat(writer, long)) == "context_length"
    assert code_of(lambda: list(client.chat_stream(writer, long))) == "context_length"
    with pytest.raises(EndpointError):
        async for _ in client.chat_stream_async(writer, long):
            pass


def test_it_tries_again_when_the_server_is_busy_or_fails(fake: Fake) -> None:
    fake.statuses += [429, 503, 200]
    assert client.embed(fake.endpoint, ["a"]).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]


def test_it_gives_up_after_some_tries(fake: Fake) -> None:
    fake.statuses += [503] * 3 + [500]
    assert code_of(lambda: client.embed(fake.endpoint, ["a"])) == "server"
    assert fake.statuses == [500]


def test_it_does_not_repeat_what_cannot_succeed(fake: Fake) -> None:
    fake.statuses += [400, 200]
    assert code_of(lambda: client.embed(fake.endpoint, ["a"])) == "refused"


def test_a_token_does_not_show() -> None:
    assert "key" not in repr(Endpoint("http://127.0.0.1/v1", "key", "m"))


def test_importing_it_is_light() -> None:
    code = "import engine.endpoint, sys; sys.exit(bool({'openai', 'torch', 'numpy', 'llama_cpp'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
