"""Asking a model many things at once, within a budget: what fails is tried again or counted, and never ends the rest."""

import asyncio
import contextlib
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from engine.addresses import Reach
from engine.endpoint import ChatAnswer, Endpoint, EndpointError, Message, chatting
from engine.exits import InputError

CHARACTERS_A_TOKEN = 4  # where a server does not count
PASSING = frozenset({"timeout", "busy", "server", "unreachable", "answer"})  # what may be over at the next try
HOPELESS = frozenset({"token", "no_such_model", "address"})  # what no further try mends
GIVE_UP = 8  # failed questions in a row, tries included, after which the endpoint counts as gone
LOOK_EVERY = 0.2  # seconds between two looks whether to stop
LONGEST_WAIT = 30.0  # seconds

Job = TypeVar("Job")


class BudgetSpent(Exception):
    """No further call is paid for."""


@dataclass
class Budget:
    """Limits, 0 for none, and what was used. Prices are for a million tokens, in any one currency.

    ``calls``: requests, tries included.
    """

    calls: int = 0
    tokens: int = 0
    money: float = 0.0
    price_in: float = 0.0
    price_out: float = 0.0
    used_calls: int = 0
    used_in: int = 0
    used_out: int = 0
    held_in: int = 0
    held_out: int = 0

    @property
    def cost(self) -> float:
        """What was used, in money."""
        return self._price(self.used_in, self.used_out)

    @property
    def used_tokens(self) -> int:
        return self.used_in + self.used_out

    def hold(self, tokens_in: int, tokens_out: int) -> None:
        """Take a call and put its largest use aside. Raises ``BudgetSpent`` where that would pass a limit."""
        reading, writing = self.used_in + self.held_in + tokens_in, self.used_out + self.held_out + tokens_out
        if self.calls and self.used_calls >= self.calls:
            raise BudgetSpent
        if (self.tokens and reading + writing > self.tokens) or (self.money and self._price(reading, writing) > self.money):
            raise BudgetSpent
        self.used_calls += 1
        self.held_in += tokens_in
        self.held_out += tokens_out

    def settle(self, held: tuple[int, int], used: tuple[int, int]) -> None:
        """What was put aside becomes what was used."""
        self.held_in, self.held_out = self.held_in - held[0], self.held_out - held[1]
        self.used_in, self.used_out = self.used_in + used[0], self.used_out + used[1]

    def _price(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


@dataclass
class Asker:
    """Asks ``endpoint``; ``failures`` counts by code what was not answered in ``tries`` tries.

    ``gone``: why the endpoint counts as gone. ``spent``: whether the budget ended it."""

    endpoint: Endpoint
    budget: Budget
    options: dict[str, Any]
    seconds: float = 120.0
    tries: int = 4
    wait: float = 1.0
    failures: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    gone: EndpointError | None = None
    spent: bool = False
    answered: int = 0
    _in_a_row: int = 0
    _ask: Callable[..., Awaitable[ChatAnswer]] | None = None

    async def ask(self, text: str, **options: Any) -> str | None:
        """What the model says to ``text``; None where it could not be had. Raises ``BudgetSpent``."""
        answer = await self.answer([{"role": "user", "content": text}], **options)
        return answer.text if answer else None

    async def answer(self, messages: Sequence[Message], **options: Any) -> ChatAnswer | None:
        """How the model goes on after ``messages``; None where it could not be had. Raises ``BudgetSpent``."""
        assert self._ask is not None
        text = "\n".join(message["content"] for message in messages)
        settings = {**self.options, **options}
        held = (len(text) // CHARACTERS_A_TOKEN + 20, int(settings.get("max_tokens", 512)))
        for attempt in range(self.tries):
            if self.gone:
                return None
            self.budget.hold(*held)
            used = (0, 0)
            try:
                answer = await self._ask(messages, **settings)
                used = _usage(answer, text)
            except EndpointError as error:
                used = (held[0], 0) if error.code == "timeout" else used
                if not await self._again(error, attempt):
                    return None
            else:
                self.answered += 1
                self._in_a_row = 0
                return answer
            finally:
                self.budget.settle(held, used)
        return None

    async def _again(self, error: EndpointError, attempt: int) -> bool:
        """Wait, and True where another try may help; else count the failure."""
        if error.code in PASSING and attempt + 1 < self.tries:
            self.retries += 1
            await asyncio.sleep(min(LONGEST_WAIT, self.wait * 2**attempt * random.uniform(0.8, 1.2)))
            return True
        self.failures[error.code] += 1
        self._in_a_row += 1
        if self._in_a_row >= GIVE_UP or (error.code in HOPELESS and not self.answered):
            self.gone = error
        return False

    def work(
        self, jobs: Iterator[Job], do: Callable[[Job], Awaitable[None]], *, parallel: int, enough: Callable[[], bool]
    ) -> None:  # fmt: skip
        """``do`` each of ``jobs``, ``parallel`` at once, until ``enough()``, the budget is spent or the endpoint is gone.

        ``enough`` is asked several times a second, so it may also say that somebody wants to stop: what is being asked is then dropped.
        """
        asyncio.run(self._work(jobs, do, parallel, enough))

    async def _work(self, jobs: Iterator[Job], do: Callable[[Job], Awaitable[None]], parallel: int, enough: Callable[[], bool]) -> None:
        running: set[asyncio.Task[None]] = set()
        async with chatting(self.endpoint, self.seconds) as self._ask:
            try:
                left = True
                while not enough() and self.gone is None:
                    while left and len(running) < parallel:
                        job = next(jobs, None)
                        left = job is not None
                        if job is not None:
                            running.add(asyncio.create_task(do(job)))  # type: ignore[arg-type]
                    if not running:
                        break
                    done, running = await asyncio.wait(running, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        try:
                            task.result()
                        except BudgetSpent:
                            self.spent, left = True, False
            finally:
                for task in running:
                    task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.gather(*running, return_exceptions=True)


def _usage(answer: ChatAnswer, text: str) -> tuple[int, int]:
    reading = answer.usage.get("prompt_tokens") or len(text) // CHARACTERS_A_TOKEN
    writing = answer.usage.get("completion_tokens") or len(answer.text) // CHARACTERS_A_TOKEN
    return reading, writing


def chat_endpoint() -> Endpoint:
    """The endpoint that the caller named in the environment. Raises ``InputError`` where there is none."""
    url = os.environ.get("STUDIO_CHAT_URL", "")
    if not url:
        raise InputError("endpoint", "No model is there to ask.", where="STUDIO_CHAT_URL", mend="Choose a model.")
    reach: Reach = {"public": "public", "private": "private"}.get(os.environ.get("STUDIO_CHAT_REACH", ""), "any")  # type: ignore[assignment]
    return Endpoint(url=url, token=os.environ.get("STUDIO_CHAT_TOKEN", ""), model=os.environ.get("STUDIO_CHAT_MODEL", ""), reach=reach)
