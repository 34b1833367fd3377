"""The loop on a tiny model in this process: steps that do not fit, that fall apart, that forget; checkpoints on a full disk."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import events
from engine.context import Context
from engine.exits import InputError, Stopped
from engine.lib import chat_rows
from engine.lib.training import checkpoints, loop
from engine.lib.training.settings import LoopParams
from engine.lib.training.weights import Masters
from engine.spec import Spec
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 50}


class Tokenizer:
    """As much of one as the loop asks for."""

    pad_token_id = 0


def row(number: int, length: int = 8) -> chat_rows.Encoded:
    ids = [3 + (number * 7 + place) % 40 for place in range(length)]
    return chat_rows.Encoded(chat_rows.Row(str(number), [], "train", number + 1), ids, [place >= length // 2 for place in range(length)])


class Training:
    """One training of a tiny model: ``go()`` trains, ``outcome`` is what it said."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(1)
        self.model: Any = LlamaForCausalLM(LlamaConfig(**SIZES))
        self.masters = Masters(self.model)
        self.params = LoopParams(**{"batch_size": 4, "learning_rate": 1e-2, "max_steps": 6, "epochs": 9, "warmup_ratio": 0.0} | settings)
        folder.mkdir(parents=True, exist_ok=True)
        self.context = Context(folder, Spec(stage="sft"), events.EventWriter(folder))
        self.outcome = Outcome(0, folder)
        self.job = loop.Job(
            model=self.model, tokenizer=Tokenizer(), masters=self.masters, train=[row(n, 6 + n % 5) for n in range(16)], validation=[],
            general=[], save=self.save, role="model", kind="hf-model", facts={},
        )  # fmt: skip

    def save(self, folder: Path) -> None:
        import torch

        folder.mkdir()
        torch.save({name: weight.detach() for name, weight in self.masters.weights.items()}, folder / "weights")

    def go(self) -> checkpoints.State:
        return loop.train(self.context, self.params, self.job)

    @property
    def warnings(self) -> dict[str, str]:
        return {warning["code"]: warning["message"] for warning in self.outcome.of("warning")}


@pytest.fixture
def training(tmp_path: Path) -> Callable[..., Training]:
    counter = iter(range(100))
    return lambda **settings: Training(tmp_path / str(next(counter)), **settings)


def short_of_memory(training: Training, monkeypatch: pytest.MonkeyPatch, rows: int, longest: int = 10**9) -> None:
    """Let a batch of more than ``rows`` rows or ``longest`` tokens fail the way torch fails."""
    from engine.lib import scoring

    real = scoring.backward_on_answers

    def limited(model: Any, batch: Any, scale: float) -> float:
        if batch.ids.shape[0] > rows or batch.ids.shape[1] > longest:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")
        return real(model, batch, scale)

    monkeypatch.setattr(scoring, "backward_on_answers", limited)


def test_what_does_not_fit_is_read_in_smaller_pieces_with_the_same_losses(
    training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = training()
    whole.go()
    small = training()
    short_of_memory(small, monkeypatch, rows=1)
    small.go()
    assert list(small.outcome.metric("train_loss").values()) == pytest.approx(list(whole.outcome.metric("train_loss").values()), abs=1e-5)
    assert "1 of 4 rows are read at once" in small.warnings["memory"]
    assert [warning["where"] for warning in small.outcome.of("warning")] == ["step 1", "step 1"]  # found before the first step


def test_when_one_row_does_not_fit_it_computes_anew_and_then_reads_less(
    training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = training(batch_size=1)
    small.job.train = [row(n, 120) for n in range(16)]
    short_of_memory(small, monkeypatch, rows=1, longest=100)
    small.go()
    said = [warning["message"] for warning in small.outcome.of("warning")]
    assert ["computed anew" in said[0], "cut to 90 tokens" in said[1]] == [True, True]
    assert len(small.outcome.metric("train_loss")) == 6


def test_when_nothing_is_left_to_make_smaller_it_ends_as_out_of_memory(
    training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = training()
    short_of_memory(small, monkeypatch, rows=0)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        small.go()


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_step_whose_gradient_is_no_number_leaves_the_weights_as_they_were(training: Callable[..., Training], bad: float) -> None:
    import torch

    one = training(checkpoint_every=1)
    calls = iter(range(100))
    before: dict[str, Any] = {}

    def hook(gradient: Any) -> Any:
        if next(calls) != 5:  # two of the preflight, then three good steps
            return gradient
        before.update({name: weight.detach().clone() for name, weight in one.masters.weights.items()})
        return gradient * bad

    one.model.model.norm.weight.register_hook(hook)
    with pytest.raises(InputError, match="gradient became") as raised:
        one.go()
    assert raised.value.code == "diverged" and "step 4" in raised.value.message
    assert all(torch.equal(weight, before[name]) for name, weight in one.masters.weights.items())
    assert [data["step"] for data in one.outcome.of("checkpoint")] == [1, 2, 3]


def test_the_preflight_moves_nothing(training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch) -> None:
    with_it, without = training(), training()
    with_it.go()
    monkeypatch.setattr(loop.Stepper, "try_longest", lambda self, lengths: None)
    without.go()
    assert with_it.outcome.metric("train_loss") == without.outcome.metric("train_loss")


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch) -> None:
    one = training(checkpoint_every=2)
    real = checkpoints.Checkpoints._write

    def full(self: Any, folder: Path, content: dict[str, Any]) -> Path:
        if content["state"]["step"] == 4:
            folder.mkdir()
            raise OSError(28, "No space left on device")
        return real(self, folder, content)

    monkeypatch.setattr(checkpoints.Checkpoints, "_write", full)
    one.go()
    assert [data["step"] for data in one.outcome.of("checkpoint")] == [2]
    assert "step 4 could not be written: [Errno 28] No space left" in one.warnings["checkpoint"]
    assert (one.outcome.folder / "checkpoints" / "00000002" / "state.pt").is_file()
    assert len(one.outcome.metric("train_loss")) == 6


def test_checkpoints_come_by_the_clock(training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100_000, 35))  # every look at it finds 35 seconds gone
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(clock))
    one = training(checkpoint_minutes=1)
    one.go()
    assert one.outcome.of("checkpoint")


def test_the_best_state_is_handed_over(training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from engine.lib.training import looks

    found = iter([3.0, 2.0, 2.5, 2.4])
    monkeypatch.setattr(looks, "_loss", lambda ctx, job, rows, params, state: next(found) if rows else None)
    monkeypatch.setattr(looks, "sample", lambda *_: None)
    weights: dict[int, Any] = {}
    one = training(eval_every=2)
    one.job.validation = [row(99)]
    real = checkpoints.Checkpoints.keep_best
    monkeypatch.setattr(
        checkpoints.Checkpoints,
        "keep_best",
        lambda self: (weights.update({2: one.masters.weights["lm_head.weight"].detach().clone()}), real(self)),
    )
    state = one.go()
    assert state.best == {"step": 2, "loss": 2.0}
    (artifact,) = one.outcome.of("artifact")
    assert (artifact["facts"]["steps"], artifact["facts"]["eval_loss"]) == (2, 2.0)
    kept = torch.load(one.outcome.output("model") / "weights")["lm_head.weight"]
    assert torch.equal(kept, weights[2])


@pytest.mark.parametrize("stop", [False, True])
def test_it_says_when_too_much_is_forgotten_and_stops_where_it_was_asked_to(
    training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch, stop: bool
) -> None:
    from engine.lib.training import looks

    general = iter([2.0, 2.05, 2.2, 2.3])
    monkeypatch.setattr(looks, "_loss", lambda ctx, job, rows, params, state: next(general) if rows is job.general else None)
    one = training(eval_every=2, stop_over_budget=stop, general_budget=0.1)
    one.job.general = [row(99)]
    state = one.go()
    assert state.step == (4 if stop else 6)
    assert "At step 4" in one.warnings["forgetting"] and "0.200 above" in one.warnings["forgetting"]
    assert len([warning for warning in one.outcome.of("warning") if warning["code"] == "forgetting"]) == 1


def test_a_sudden_gradient_is_told_once(training: Callable[..., Training]) -> None:
    from engine.lib.training.looks import GradientWatch

    one = training()
    watch = GradientWatch(one.context)
    for step, norm in enumerate([1.0, 1.2] * 15 + [60.0, 70.0], start=1):
        watch.see(step, norm)
    (warning,) = one.outcome.of("warning")
    assert "step 31" in warning["message"] and "55 times" in warning["message"]


def test_stopping_keeps_a_checkpoint_of_the_very_step(training: Callable[..., Training]) -> None:
    one = training(max_steps=50)
    one.job.penalty = lambda: setattr(one.context, "stop_requested", one.context.stop_requested or next(steps) >= 2) or 0.0
    steps = iter(range(100))
    with pytest.raises(Stopped):
        one.go()
    (checkpoint,) = one.outcome.of("checkpoint")
    assert checkpoint["step"] == max(one.outcome.metric("train_loss")) == 3
    assert all(math.isfinite(value) for value in one.outcome.metric("penalty").values())
    assert one.outcome.of("artifact")[0]["facts"]["partial"] is True
