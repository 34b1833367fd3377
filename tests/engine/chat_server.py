"""A stand-in for a model's server outside this machine: it answers as told, or fails as such servers fail."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = str | tuple[int, str]  # what the model says; or a status and a raw body
Talk = Callable[[str, int], Reply]  # (prompt, number of the call from 0) → reply


@dataclass
class ChatServer:
    """``asked``: every prompt so far, ``keys``: the tokens they came with, ``most``: how many were being answered at once."""

    url: str
    asked: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    now: int = 0
    most: int = 0

    @property
    def environment(self) -> dict[str, str]:
        return {"STUDIO_CHAT_URL": self.url, "STUDIO_CHAT_TOKEN": "a key", "STUDIO_CHAT_MODEL": "writer-1"}


@contextmanager
def chat_server(talk: Talk, *, delay: float = 0, usage: bool = True) -> Iterator[ChatServer]:
    """An OpenAI-compatible server that says what ``talk`` says, after ``delay`` seconds."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = body["messages"][-1]["content"]
            with lock:
                number = len(state.asked)
                state.asked.append(text)
                state.keys.add(self.headers.get("Authorization", ""))
                state.now += 1
                state.most = max(state.most, state.now)
            try:
                reply = talk(text, number)
                time.sleep(delay)
                self._send(reply, text, body)
            except OSError:  # the client has hung up
                pass
            finally:
                with lock:
                    state.now -= 1

        def _send(self, reply: Reply, text: str, body: dict[str, Any]) -> None:
            status, raw = reply if isinstance(reply, tuple) else (200, self._answer(reply, text, body))
            data = raw.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _answer(self, said: str, text: str, body: dict[str, Any]) -> str:
            choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
            counted = {"prompt_tokens": len(text) // 4, "completion_tokens": len(said) // 4, "total_tokens": (len(text) + len(said)) // 4}
            answer = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice]}
            return json.dumps(answer | ({"usage": counted} if usage else {}))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state = ChatServer(f"http://127.0.0.1:{server.server_port}/v1")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield state
        server.shutdown()


def passage_in(text: str) -> str:
    """The passage that a prompt shows."""
    found = re.search(r"<<<\n(.*)\n>>>", text, re.DOTALL) or re.search(r"Passage:\n(.*)", text, re.DOTALL)
    return found[1] if found else ""


def honest(text: str, number: int) -> str:
    """A model that does as it is told: it asks about a sentence of the passage, and answers with it."""
    passage = passage_in(text)
    sentences = [one.strip() for one in re.split(r"(?<=[.!?])\s+", passage) if len(one) > 30]
    if "NOT STATED" in text:
        return "NOT STATED"
    if "does NOT answer" in text:
        about = sentences[0].rstrip(".")
        question = f"Who decided in which year, case {number}, that {about[0].lower()}{about[1:]}?"
        return json.dumps([{"question": question, "answer": "The documents do not state who decided it.", "quote": ""}])
    sentence = sentences[number % len(sentences)]
    ask = "Under which circumstances, in case" if "harder form" in text else "What holds in case"
    question = f"{ask} {number}, about {' '.join(sentence.split()[:6])}?"
    pair = {"question": question, "answer": sentence, "quote": sentence}
    return json.dumps(pair if "harder form" in text else [pair])
