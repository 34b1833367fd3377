"""From tokens to an answer: where it ends, and which text may leave already."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.serve.requests import Message


@dataclass(frozen=True)
class Sampling:
    """How to draw the next token. ``temperature`` 0 takes the likeliest; ``seed`` None draws anew each time."""

    temperature: float
    top_p: float
    seed: int | None


class Stopped(Exception):
    """The caller has gone; nobody wants the rest."""


class TextModel(Protocol):
    """A loaded model that writes. Not safe for two threads at a time."""

    context: int  # tokens that prompt and answer may have together

    def chat_tokens(self, messages: list[Message]) -> list[int]:
        """The conversation through the model's own chat template, up to where its answer begins."""
        ...

    def text_tokens(self, text: str) -> list[int]: ...

    def generate(
        self,
        tokens: list[int],
        sampling: Sampling,
        most: int,
        write: Callable[[str], bool],
        stopped: Callable[[], bool],
    ) -> None:
        """Call ``write`` with the text of each token ("" for half a character), until it returns False, ``most`` tokens
        are written or the model ends. Raises ``Stopped`` when ``stopped`` turns true while the prompt is being read."""
        ...

    def close(self) -> None: ...


class Answer:
    """Takes the text of token after token; ``send`` gets what can no longer be part of a stop string."""

    def __init__(self, stops: list[str], most: int, send: Callable[[str], None]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._most = most
        self._send = send
        self._held = ""
        self.tokens = 0
        self.finish_reason = "stop"

    def write(self, piece: str) -> bool:
        """False: enough."""
        self.tokens += 1
        self._held += piece
        found = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if found:
            self._held = self._held[: min(found)]
            return False
        safe = len(self._held) - self._may_begin_a_stop()
        if safe:
            self._send(self._held[:safe])
            self._held = self._held[safe:]
        if self.tokens >= self._most:
            self.finish_reason = "length"
            return False
        return True

    def end(self) -> None:
        if self._held:
            self._send(self._held)
            self._held = ""

    def _may_begin_a_stop(self) -> int:
        """Characters at the end of the held text with which a stop string could begin."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0
