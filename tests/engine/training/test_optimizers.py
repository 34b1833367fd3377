"""AdamW in 32 and in 8 bits: the same way down, exactly resumed, and refused where it cannot work."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.exits import Stopped
from engine.lib.training import optimizers
from engine.lib.training.settings import LoopParams
from tests.engine.stage_running import Outcome
from tests.engine.training import test_loop, test_trainer
from tests.engine.training.test_team import STEPS

pytestmark = pytest.mark.slow
IN_8_BITS = {"optimizer": "adamw_8bit"}


def stopped_after(training: Any, step: int) -> Path:
    """Train until ``step``, be asked to stop there, and say where the checkpoint is."""
    training.job.penalty = lambda: setattr(training.context, "stop_requested", next(steps) >= step) or 0.0
    steps = iter(range(1, 100))
    with pytest.raises(Stopped):
        training.go()
    return training.outcome.folder / training.outcome.of("checkpoint")[-1]["path"]


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A training whose matrices are large enough to be remembered in 8 bits."""
    monkeypatch.setattr(test_loop, "SIZES", test_loop.SIZES | {"hidden_size": 64, "intermediate_size": 128, "vocab_size": 128})
    counter = iter(range(100))
    return lambda **settings: test_loop.Training(tmp_path / str(next(counter)), **settings)


def test_fused_adamw_goes_where_adamw_goes() -> None:
    import torch

    ours, plain = (torch.nn.Parameter(torch.linspace(-1, 1, 300)) for _ in range(2))
    params = LoopParams(learning_rate=1e-2, weight_decay=0.1)
    moving = optimizers.make("adamw", params, [{"params": [ours], "scale": 1.0}])
    expected = torch.optim.AdamW([plain], lr=1e-2, weight_decay=0.1, foreach=False)
    assert moving.param_groups[0]["fused"] is True
    for _ in range(5):
        for weight, optimizer in ((ours, moving), (plain, expected)):
            (weight**3).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    assert ours.detach().numpy() == pytest.approx(plain.detach().numpy(), abs=1e-6)


def test_in_8_bits_it_learns_about_the_same_and_remembers_less(training: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    made: list[Any] = []
    real = optimizers.make
    monkeypatch.setattr(optimizers, "make", lambda *given: made.append(real(*given)) or made[-1])
    whole, small = training(), training(**IN_8_BITS)
    whole.go()
    small.go()
    losses, expected = small.outcome.metric("train_loss"), whole.outcome.metric("train_loss")
    assert losses != expected and list(losses.values()) == pytest.approx(list(expected.values()), rel=0.05)
    assert losses[6] < 0.9 * losses[1]
    kept = {name: made[1].state[weight]["state1"].dtype for name, weight in small.masters.weights.items()}
    assert kept["model.layers.0.mlp.up_proj.weight"] == torch.uint8
    assert kept["model.embed_tokens.weight"] == kept["model.norm.weight"] == torch.float32  # embeddings, and what is small
    assert "AdamW (8-bit)" in small.outcome.of("log")[0]["message"] and "AdamW (fused)" in whole.outcome.of("log")[0]["message"]


def test_in_8_bits_a_resumed_training_is_exactly_as_one_that_was_not_cut(training: Callable[..., Any]) -> None:
    whole, cut, resumed = (training(**IN_8_BITS) for _ in range(3))
    whole.go()
    resumed.context.resume_from = stopped_after(cut, 3)
    resumed.go()
    expected = whole.outcome.metric("train_loss")
    assert resumed.outcome.metric("train_loss") == {step: expected[step] for step in (4, 5, 6)}
    assert all(weight.equal(whole.masters.weights[name]) for name, weight in resumed.masters.weights.items())


def test_a_checkpoint_made_by_another_implementation_is_gone_on_from(training: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    whole, cut, resumed = training(), training(), training()
    whole.go()
    made: list[Any] = []
    plain = torch.optim.AdamW
    with monkeypatch.context() as patched:
        patched.setattr(torch.optim, "AdamW", lambda groups, **given: plain(groups, **given | {"fused": None, "foreach": True}))
        resumed.context.resume_from = stopped_after(cut, 3)
    monkeypatch.setattr(torch.optim, "AdamW", lambda groups, **given: made.append(plain(groups, **given)) or made[-1])
    resumed.go()
    assert (made[0].param_groups[0]["fused"], made[0].param_groups[0]["foreach"]) == (True, None)
    expected = whole.outcome.metric("train_loss")
    assert resumed.outcome.metric("train_loss") == pytest.approx({step: expected[step] for step in (4, 5, 6)}, abs=1e-5)


def test_the_librarys_trainers_obey_and_resume_exactly(tmp_path: Path, tiny_model: Path) -> None:
    whole, cut, resumed = (test_trainer.Training(tmp_path / name, tiny_model, checkpoint_every=2, **IN_8_BITS) for name in "abc")
    optimizer: list[str] = []
    remember = type("Remember", (whole.task.trainer,), {"train": lambda self, **given: trained(self, **given)})

    def trained(trainer: Any, **given: Any) -> Any:
        found = super(remember, trainer).train(**given)
        optimizer.append(f"{type(trainer.optimizer.optimizer).__module__} {trainer.optimizer.optimizer.args.optim_bits}")
        return found

    whole.task = replace(whole.task, trainer=remember)
    whole.go()
    assert optimizer == ["bitsandbytes.optim.adamw 8"]
    assert "AdamW (8-bit)" in whole.outcome.of("log")[0]["message"]
    cut.go()
    resumed.context.resume_from = cut.checkpoint(2)
    resumed.go()
    expected = whole.outcome.metric("train_loss")
    assert resumed.outcome.metric("train_loss") == {step: expected[step] for step in (3, 4)}


def test_on_weights_that_are_split_it_is_refused_before_the_first_step(engine_run: Callable, tiny_student: Path, topics: Path) -> None:
    split = STEPS | IN_8_BITS | {"processes": 2, "shard": True}
    outcome: Outcome = engine_run("sft_full", split, {"model": tiny_student, "dataset": topics}, expect=20)
    (error,) = outcome.of("error")
    assert (error["code"], error["where"]) == ("optimizer", "optimizer") and not outcome.metric("train_loss")


def test_only_embeddings_that_are_trained_are_kept_in_32_bits() -> None:
    import torch

    model = torch.nn.ModuleDict({"words": torch.nn.Embedding(3, 2), "others": torch.nn.Embedding(3, 2), "head": torch.nn.Linear(2, 3)})
    weights = {"words.weight": SimpleNamespace(), "head.weight": SimpleNamespace()}
    assert optimizers.embeddings(model, weights) == [weights["words.weight"]]
