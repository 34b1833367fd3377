"""Each training method, by its real command on a real small model, brings what it promises. The methods are rows of `methods.py`."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import manifest
from engine.grants import Servable
from engine.lib import adapters, chat_rows, models, scoring
from engine.serve.requests import Message
from engine.serve.shelf import Shelf
from engine.serve.work import WRITERS
from engine.serve.writing import Sampling
from tests.engine.methods import FEW_STEPS, METHODS, Method

LEAST_GAIN = 0.05
ON_A_BASE = ("adapter", "soft-prompt")
QUESTION = Message(role="user", content="What is a list in Python?")


class Held:
    """The same evaluation rows for every method, and what the base model makes of them."""

    def __init__(self, base: Path, dataset: Path) -> None:
        self.base = base
        self._tokenizer = models.load_tokenizer(base)
        self._rows = chat_rows.encode(chat_rows.read_split(dataset, "test"), self._tokenizer, 512)[0]
        self.before = self.loss(models.load_model(base))

    def loss(self, model: Any) -> float:
        sums = scoring.row_losses(model, self._rows, self._tokenizer.pad_token_id)
        assert sums is not None
        return scoring.mean_loss(sums)


@pytest.fixture(scope="module")
def held(base_model: Path, topics: Path) -> Held:
    return Held(base_model, topics)


def answer(servable: Servable) -> str:
    """What the inference server's own classes make of it."""

    async def ask() -> str:
        pieces: list[str] = []
        async with Shelf(1 << 40).borrow(servable) as model:
            tokens = model.chat_tokens([QUESTION])
            model.generate(tokens, Sampling(0.0, 1.0, None), 8, lambda piece: pieces.append(piece) is None, lambda: False)
        return "".join(pieces)

    return asyncio.run(ask())


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_it_learns_leaves_the_base_as_it_was_and_answers(
    method: Method, held: Held, engine_run: Callable, request: pytest.FixtureRequest
) -> None:
    inputs = {role: request.getfixturevalue(name) for role, name in method.inputs.items()}
    before = {file.name: manifest.file_sha256(file) for file in held.base.iterdir()}
    outcome = engine_run(method.stage, FEW_STEPS | method.params, inputs)
    assert {file.name: manifest.file_sha256(file) for file in held.base.iterdir()} == before

    (made,) = outcome.of("artifact")
    folder = outcome.output(made["role"])
    manifest.verify(folder)
    on_a_base = made["kind"] in ON_A_BASE
    if method.moved:
        method.moved(outcome)
    else:
        model = models.load_model(held.base if on_a_base else folder)
        loss = held.loss(adapters.load_adapter(model, folder) if on_a_base else model)
        assert loss < (1 - LEAST_GAIN) * held.before, f"{held.before:.3f} → {loss:.3f}"
    if made["kind"] in WRITERS:
        assert answer(Servable(kind=made["kind"], path=str(folder), base=str(held.base) if on_a_base else None)).strip()
