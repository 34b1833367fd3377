"""The models in memory: loaded when first asked for; the least recently used goes when room is needed."""

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from engine import memory, probes
from engine.grants import Servable
from engine.serve.errors import ApiError

MEMORY_VARIABLE = "STUDIO_SERVE_MEMORY_BYTES"
SHARE_OF_MACHINE = 0.4
HF_KINDS = ("hf-model", "adapter", "soft-prompt")
T = TypeVar("T")


def memory_budget() -> int:
    """Bytes that the loaded models may take together."""
    return int(os.environ.get(MEMORY_VARIABLE) or probes.memory()["total"] * SHARE_OF_MACHINE)


async def in_thread(work: Callable[[], T]) -> T:
    """Run ``work`` in a thread. A cancelled caller still waits for its end: until then the model is not free."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError:
                continue
        raise


def _backend(kind: str) -> Any:
    """The module that serves artifacts of ``kind``, and its class."""
    if kind == "gguf-model":
        from engine.serve import gguf

        return gguf, gguf.GgufModel
    if kind in HF_KINDS:
        from engine.serve import hf

        return hf, hf.HfModel
    if kind == "embedder":
        from engine.serve import embedder

        return embedder, embedder.Embedder
    raise ApiError(
        400,
        "model_kind",
        f"A {kind} cannot be served.",
        where="model",
        mend="Choose a model, an adapter or an embedder.",
    )


def _key(servable: Servable) -> tuple[str, str, str | None]:
    """What is loaded for ``servable``. Adapters lie with their base: its weights are loaded once for all of them.

    One that brings a tokenizer of its own may have more tokens than the base, and gets a copy to itself.
    """
    if servable.kind in HF_KINDS and servable.base and not os.path.exists(os.path.join(servable.path, "tokenizer_config.json")):
        return "hf-model", servable.base, None
    return servable.kind, servable.path, servable.base


def _check_files(servable: Servable) -> None:
    if not os.path.exists(servable.path) or (servable.base and not os.path.exists(servable.base)):
        raise ApiError(
            404,
            "model_missing",
            "The model's files are not on this machine.",
            where="model",
            mend="Make or import the model again.",
        )


@dataclass
class _Place:
    """One model's place. ``users`` counts who works with it or waits for it; only a place without any is given up."""

    bytes: int
    model: Any = None
    users: int = 0
    used: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # first come, first served


class Shelf:
    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._places: dict[tuple[str, str, str | None], _Place] = {}
        self._door = asyncio.Lock()  # who needs room waits here, and later comers behind: a model in demand cannot keep others out for ever
        self._freed = asyncio.Event()

    def facts(self) -> dict[str, int]:
        return {
            "loaded_models": sum(place.model is not None for place in self._places.values()),
            "budget_bytes": self.budget,
        }

    @asynccontextmanager
    async def borrow(self, servable: Servable) -> AsyncIterator[Any]:
        """The loaded model, to this caller alone until the block ends."""
        key = _key(servable)
        _check_files(servable)
        async with self._door:
            place = self._places.get(key) or await self._make_place(key, servable)
            place.users += 1
        try:
            async with place.lock:
                await self._make_ready(place, servable)
                yield place.model
        finally:
            place.users -= 1
            place.used = time.monotonic()
            if place.model is None and not place.users:  # it could not be loaded, or nobody wanted it any more
                del self._places[key]
            self._freed.set()

    async def _make_ready(self, place: _Place, servable: Servable) -> None:
        """Load the model where it is not yet, and put on the adapter that ``servable`` names."""
        if place.model is None:
            place.model = await in_thread(lambda: _backend(servable.kind)[1](servable))
        elif servable.kind in HF_KINDS:
            model = place.model
            try:
                await in_thread(lambda: model.wear(servable))
            except Exception:
                place.model = None  # half an adapter may be on it; the next caller has it loaded anew
                raise

    async def _make_place(self, key: tuple[str, str, str | None], servable: Servable) -> _Place:
        needed = _backend(servable.kind)[0].bytes_needed(servable)
        if needed > self.budget:
            raise ApiError(
                503,
                "memory",
                f"The model needs about {needed / 2**20:,.0f} MiB; this server may use {self.budget / 2**20:,.0f} MiB.",
                where="model",
                mend=f"Choose a smaller model, or raise {MEMORY_VARIABLE}.",
            )
        while sum(place.bytes for place in self._places.values()) + needed > self.budget:
            idle = [other for other, place in self._places.items() if not place.users]
            if idle:
                await self._give_up(min(idle, key=lambda other: self._places[other].used))
            else:
                self._freed.clear()
                await self._freed.wait()
        self._places[key] = place = _Place(needed)
        return place

    async def _give_up(self, key: tuple[str, str, str | None]) -> None:
        place = self._places.pop(key)
        await in_thread(place.model.close)
        place.model = None
        gc.collect()
        memory.give_back_freed()  # else the freed weights stay with the process
