"""Through the real process, with real models."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from engine import grants
from engine.grants import Servable
from tests.engine.serving import EMBEDDER, SECRET, WRITER, Serving, serving

QUESTION = "Name three colours of the rainbow."


def code_of(answer: httpx.Response) -> str:
    return answer.json()["error"]["code"]


def text_of(answer: httpx.Response) -> str:
    return answer.json()["choices"][0]["message"]["content"]


def streamed(server: Serving, **options: Any) -> tuple[str, list[dict[str, Any]]]:
    lines = server.chat(QUESTION, stream=True, **options).text.strip().split("\n\n")
    assert lines[-1] == "data: [DONE]"
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    return "".join(event["choices"][0]["delta"]["content"] for event in events if event["choices"]), events


def test_a_streamed_answer_is_the_same_as_a_whole_one_at_temperature_0(server: Serving) -> None:
    whole = server.chat(QUESTION, max_tokens=40).json()
    text, events = streamed(server, max_tokens=40, stream_options={"include_usage": True})
    assert text == whole["choices"][0]["message"]["content"]
    assert events[-1]["usage"] == whole["usage"]
    assert events[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + whole["usage"]["completion_tokens"]


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(server: Serving) -> None:
    drawn = [text_of(server.chat(QUESTION, max_tokens=25, temperature=1.0, seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_what_was_asked_before_does_not_change_an_answer(server: Serving) -> None:
    long_question = "The library opens at nine and closes at six. " * 16 + QUESTION
    first = text_of(server.chat(long_question, max_tokens=20))
    server.chat("The library opens at nine and closes at six. " * 12 + "Why?", max_tokens=5)
    assert text_of(server.chat(long_question, max_tokens=20)) == first


def test_a_long_beginning_that_is_shared_is_not_read_again(server: Serving) -> None:
    text = "A heron stands in the shallow water and waits for a fish. " * 40
    seconds = []
    for question in ("Who waits?", "Where?"):
        began = time.monotonic()
        server.chat(text + question, max_tokens=1).raise_for_status()
        seconds.append(time.monotonic() - began)
    assert seconds[1] < seconds[0] / 2


def test_an_answer_ends_before_a_stop_text_and_says_so(server: Serving) -> None:
    full = text_of(server.chat(QUESTION, max_tokens=30))
    stop = full[8:14]
    text, events = streamed(server, max_tokens=30, stop=[stop])
    assert text == full[: full.find(stop)]
    assert events[-1]["choices"][0]["finish_reason"] == "stop"


def test_an_answer_cut_by_max_tokens_says_so(server: Serving) -> None:
    answer = server.chat(QUESTION, max_tokens=3).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3


def test_a_text_is_continued(server: Serving) -> None:
    answer = server.post("/completions", {"model": "writer", "prompt": "One, two, three,", "max_tokens": 5, "temperature": 0})
    assert "four" in answer.json()["choices"][0]["text"]


def test_a_prompt_that_is_too_long_is_refused_with_its_numbers(server: Serving) -> None:
    answer = server.chat("fox " * 6000)
    assert answer.status_code == 400
    assert code_of(answer) == "context_length_exceeded"
    assert "4096" in answer.json()["error"]["message"]


def test_vectors_have_length_1_and_like_sentences_are_nearer(server: Serving) -> None:
    answer = server.embed("A cat sits on the mat.", "A kitten rests on a rug.", "The stock market fell sharply.").json()
    vectors = np.array([item["embedding"] for item in answer["data"]])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_vectors_come_in_base64_as_well(server: Serving) -> None:
    plain = server.embed("A cat.").json()["data"][0]["embedding"]
    packed = server.embed("A cat.", encoding_format="base64").json()["data"][0]["embedding"]
    assert np.allclose(np.frombuffer(base64.b64decode(packed), "<f4"), plain, atol=1e-6)


def test_texts_read_only_in_part_are_named(server: Serving) -> None:
    answer = server.embed("short", "word " * 400).json()
    assert answer["truncated"] == [{"index": 1, "tokens": 402, "read": 256}]
    assert answer["usage"]["prompt_tokens"] == 256 + 3


def test_only_granted_models_are_listed(server: Serving) -> None:
    listed = server.get("/models", Authorization=f"Bearer {server.grant(mine=WRITER)}").json()
    assert [model["id"] for model in listed["data"]] == ["mine"]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "no_token"),
        ("Bearer nonsense", "token_unreadable"),
        ("Bearer " + grants.sign("another secret", {"writer": WRITER}), "token_forged"),
        ("Bearer " + grants.sign(SECRET, {"writer": WRITER}, ttl_seconds=-1), "token_expired"),
    ],
)
def test_a_caller_without_a_valid_grant_is_refused(server: Serving, header: str, code: str) -> None:
    for answer in (server.get("/models", Authorization=header), server.post("/embeddings", {}, Authorization=header)):
        assert answer.status_code == 401
        assert code_of(answer) == code


def test_a_model_outside_the_grant_is_not_there(server: Serving) -> None:
    body = {"model": "writer", "messages": [{"role": "user", "content": "Hi"}]}
    answer = server.post("/chat/completions", body, token=server.grant(embedder=EMBEDDER))
    assert answer.status_code == 404
    assert code_of(answer) == "model_not_found"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", ""])
def test_a_request_under_another_host_name_is_refused(server: Serving, host: str) -> None:
    assert server.get("/../health", Host=host).status_code == 400


def test_localhost_is_a_name_of_this_machine(server: Serving) -> None:
    assert server.get("/../health", Host="localhost:1234").status_code == 200


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"messages": [{"role": "user", "content": "Hi"}]}, "model"),
        ({"model": "writer", "messages": []}, "messages"),
        ({"model": "writer", "messages": [{"role": "user", "content": "Hi"}], "temperature": 9}, "temperature"),
    ],
)
def test_a_wrong_field_is_named(server: Serving, body: dict[str, Any], where: str) -> None:
    answer = server.post("/chat/completions", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == where


def test_what_the_server_cannot_do_is_refused_rather_than_ignored(server: Serving) -> None:
    answer = server.chat("Hi", tools=[{"type": "function"}])
    assert answer.status_code == 400
    assert "tools" in answer.json()["error"]["message"]


def test_a_model_of_the_wrong_kind_is_refused(server: Serving) -> None:
    assert code_of(server.embed("a", model="writer")) == "model_kind"
    assert code_of(server.chat("Hi", model="embedder")) == "model_kind"


def test_too_large_a_request_is_refused(server: Serving) -> None:
    assert server.embed("x" * (9 * 2**20)).status_code == 413


def test_a_model_whose_files_are_gone_is_told_as_missing(server: Serving) -> None:
    token = server.grant(writer=Servable(kind="gguf-model", path="/nowhere"))
    answer = server.post("/completions", {"model": "writer", "prompt": "a"}, token=token)
    assert answer.status_code == 404
    assert code_of(answer) == "model_missing"


def test_requests_at_the_same_time_all_finish(server: Serving) -> None:
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(server.chat, QUESTION, max_tokens=10) for _ in range(3)]
        embedding = pool.submit(server.embed, "A cat.")
        assert len({text_of(job.result()) for job in writing}) == 1
        assert embedding.result().status_code == 200


def test_a_caller_who_hangs_up_stops_the_model(server: Serving) -> None:
    body = {"model": "writer", "messages": [{"role": "user", "content": "Tell a long story."}], "max_tokens": 3500}
    headers = {"Authorization": f"Bearer {server.grant()}"}
    with httpx.stream("POST", server.url + "/chat/completions", json=body | {"stream": True}, headers=headers) as answer:
        next(answer.iter_lines())
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(server.url + "/chat/completions", json=body, headers=headers, timeout=1)
    began = time.monotonic()
    server.chat(QUESTION, max_tokens=1).raise_for_status()
    assert time.monotonic() - began < 5  # 3,500 tokens take over half a minute


def test_health_tells_loaded_models_and_memory_without_a_token(server: Serving) -> None:
    server.chat("Hi", max_tokens=1)
    health = server.health()
    assert health["status"] == "ok"
    assert health["loaded_models"] >= 1
    assert health["resident_bytes"] > 50 * 2**20


@pytest.mark.slow
def test_the_least_recently_used_model_leaves_when_memory_is_short() -> None:
    file = next(Path(WRITER.path).glob("*.gguf"))  # the same weights under another path are another model
    with serving(STUDIO_SERVE_MEMORY_BYTES=str(150 * 2**20)) as small:
        token = small.grant(one=WRITER, two=Servable(kind="gguf-model", path=str(file)))

        def ask(model: str) -> int:
            body = {"model": model, "prompt": "One, two,", "max_tokens": 2}
            return small.post("/completions", body, token=token).status_code

        assert [ask("one"), ask("two")] == [200, 200]
        assert small.health()["loaded_models"] == 1
        with ThreadPoolExecutor(4) as pool:  # each waits for the other to be free and leaves its room
            assert list(pool.map(ask, ["one", "two", "one", "two"])) == [200] * 4


@pytest.mark.slow
def test_a_model_larger_than_all_the_memory_is_refused_with_its_numbers() -> None:
    with serving(STUDIO_SERVE_MEMORY_BYTES=str(50 * 2**20)) as tiny:
        answer = tiny.chat("Hi")
        assert answer.status_code == 503
        assert "50 MiB" in answer.json()["error"]["message"]


@pytest.mark.slow
def test_sigterm_ends_the_server_at_once_and_tells_those_it_was_writing_to() -> None:
    with serving() as server, ThreadPoolExecutor(3) as pool:
        server.chat("Hi", max_tokens=1)
        streamed = pool.submit(server.chat, "Tell a long story.", max_tokens=3500, stream=True)
        time.sleep(0.5)
        waiting = pool.submit(server.chat, "Tell a long story.", max_tokens=3500)
        time.sleep(0.5)
        began = time.monotonic()
        server.process.terminate()
        assert server.process.wait(timeout=15) == 0
        assert time.monotonic() - began < 3
        assert waiting.result().status_code == 503
        assert code_of(waiting.result()) == "stopping"
        *pieces, error, done = streamed.result().text.strip().split("\n\n")
        assert pieces and "stopping" in error and done == "data: [DONE]"
