"""Holding weights near their start: the values are those of the formula, and the gradients those of autograd."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import events
from engine.context import Context
from engine.exits import InputError
from engine.lib.training import fisher, penalties
from engine.lib.training.settings import ForgettingParams, LoraParams, TeamParams
from engine.lib.training.weights import Masters
from engine.spec import Spec
from tests.engine.training.test_loop import SIZES, Training, row, training  # noqa: F401

pytestmark = pytest.mark.slow


def tiny(**settings: Any) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    return LlamaForCausalLM(LlamaConfig(**SIZES, **settings))


def context(folder: Path) -> Context:
    return Context(folder, Spec(stage="sft"), events.EventWriter(folder))


def lora(model: Any, **settings: Any) -> Any:
    from engine.lib import adapters

    return adapters.attach_lora(model, LoraParams(rank=4, **settings))


def test_the_value_is_the_one_computed_by_hand() -> None:
    import torch

    base, master = torch.tensor([1.0, 2.0]), torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    part = penalties.HeldWeight(base, master)
    penalty = penalties.Penalty([part], [torch.tensor([1.0, 3.0])], strength=0.5)
    with torch.no_grad():
        master.copy_(torch.tensor([1.1, 1.8]))
    # F·W0² = 1·1 + 3·4 = 13, F·Δ² = 1·0.01 + 3·0.04 = 0.13: one hundredth, which is what a change by ten percent makes
    assert penalty() == pytest.approx(0.5 * 100, rel=1e-4)
    assert master.grad.tolist() == pytest.approx([2 * 0.5 / (1e-4 * 13) * 0.1, 2 * 0.5 / (1e-4 * 13) * 3 * -0.2], rel=1e-4)


@pytest.mark.parametrize("ewc", [False, True])
def test_a_change_of_every_weight_by_one_percent_costs_the_strength(ewc: bool) -> None:
    import torch

    model = tiny()
    masters = Masters(model)
    held = penalties.held_weights(model, masters)
    importance = fisher.diagonal(model, [part.base for part in held], [row(n) for n in range(4)], 0) if ewc else [None] * len(held)
    penalty = penalties.Penalty(held, importance, strength=0.3)
    assert penalty() == 0
    with torch.no_grad():
        for weight in masters.parameters():
            weight.mul_(1.01)
    assert penalty() == pytest.approx(0.3, rel=1e-3)


@pytest.mark.parametrize("tied", [False, True])
def test_the_fisher_diagonal_is_the_mean_square_of_each_texts_own_gradient(tied: bool) -> None:
    import torch
    from torch.nn.functional import cross_entropy

    model = tiny(tie_word_embeddings=tied).train()
    texts = [row(n, 6 + n) for n in range(3)]
    weights = list(model.parameters())
    expected = [torch.zeros_like(weight) for weight in weights]
    for text in texts:
        model.zero_grad()
        logits = model(input_ids=torch.tensor([text.ids])).logits[0]
        places = [place for place, said in enumerate(text.answer) if said]
        cross_entropy(logits[[place - 1 for place in places]], torch.tensor([text.ids[p] for p in places]), reduction="sum").backward()
        for total, weight in zip(expected, weights, strict=True):
            total += weight.grad**2
    model.zero_grad()
    tokens = sum(text.answer_tokens for text in texts)
    random = torch.get_rng_state()
    found = fisher.diagonal(model, weights, texts, 0)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours.float(), theirs / tokens, rtol=1e-2, atol=1e-9)  # bf16 keeps 8 bits
    assert sum(float(one.float().sum()) for one in found) > 0
    assert torch.equal(random, torch.get_rng_state()) and model.training
    assert all(weight.requires_grad and weight.grad is None for weight in weights)


def test_measuring_a_frozen_base_leaves_the_adapter_as_it_was() -> None:
    model = lora(tiny())
    held = penalties.held_weights(model, Masters(model))
    assert len(held) == 7  # the linear layers of one block
    before = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    found = fisher.diagonal(model, [part.base for part in held], [row(1), row(2)], 0)
    assert all(float(one.float().abs().sum()) > 0 for one in found)
    assert before == {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("rslora", [False, True])
def test_for_an_adapter_the_gradient_is_autograds_of_the_change_it_makes(rslora: bool) -> None:
    import torch

    model = lora(tiny(), rslora=rslora)
    masters = Masters(model)
    held = penalties.held_weights(model, masters)
    importance = fisher.diagonal(model, [part.base for part in held], [row(1), row(2)], 0)
    with torch.no_grad():
        for weight in masters.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    value = penalties.Penalty(held, importance, strength=0.2)()

    scaling = 32 / (4**0.5 if rslora else 4)
    size = sum(float((f.float() * part.base.detach() ** 2).sum()) for part, f in zip(held, importance, strict=True))
    weights = {name: weight.detach().clone().requires_grad_() for name, weight in masters.weights.items()}
    paths = [path for path, layer in model.named_modules() if hasattr(layer, "lora_A")]
    changes = [scaling * weights[f"{path}.lora_B.default.weight"] @ weights[f"{path}.lora_A.default.weight"] for path in paths]
    expected = sum((f.float() * change**2).sum() for f, change in zip(importance, changes, strict=True)) * 0.2 / (1e-4 * size)
    expected.backward()
    assert value == pytest.approx(float(expected), rel=1e-4)
    for name, weight in masters.weights.items():
        assert torch.allclose(weight.grad, weights[name].grad, rtol=1e-3, atol=1e-6), name


@pytest.mark.parametrize("rslora", [False, True])
def test_the_change_is_the_one_that_merging_would_make(rslora: bool) -> None:
    import torch

    model = lora(tiny(), rslora=rslora)
    masters = Masters(model)
    with torch.no_grad():
        for weight in masters.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    masters.publish()
    layers = [layer for _, layer in model.named_modules() if hasattr(layer, "lora_A")]
    for part, layer in zip(penalties.held_weights(model, masters), layers, strict=True):
        assert torch.allclose(part.change(), layer.get_delta_weight("default"), atol=1e-6)


def test_what_is_no_product_of_two_matrices_is_refused() -> None:
    model = lora(tiny(), dora=True)
    with pytest.raises(InputError, match="plain LoRA") as raised:
        penalties.held_weights(model, Masters(model))
    assert raised.value.where == "hold"


def test_a_model_that_is_split_over_processes_is_refused(tmp_path: Path) -> None:
    class Split(ForgettingParams, TeamParams):
        pass

    with pytest.raises(InputError, match="nor split"):
        penalties.against_forgetting(context(tmp_path), Split(hold="l2", shard=True), None, None, None)  # type: ignore[arg-type]


def test_none_is_no_penalty(tmp_path: Path) -> None:
    assert penalties.against_forgetting(context(tmp_path), ForgettingParams(), None, None, None) is None  # type: ignore[arg-type]


def held(one: Training, strength: float) -> Training:
    """``one`` with EWC, measured on rows that it is not trained on."""
    parts = penalties.held_weights(one.model, one.masters)
    importance = fisher.diagonal(one.model, [part.base for part in parts], [row(n) for n in range(20, 24)], 0)
    one.job.penalty = penalties.Penalty(parts, importance, strength)
    return one


def moved(one: Training) -> float:
    """How far the weights are from where they began, weighed by importance: the penalty's own measure at strength 1."""
    penalty: Any = one.job.penalty
    return sum(float((f.float() * part.change() ** 2).sum()) for part, f in zip(penalty._held, penalty._importance, strict=True))


def test_a_high_strength_holds_the_weights_and_none_changes_nothing(training: Callable[..., Training]) -> None:  # noqa: F811
    free, idle, firm = training(max_steps=12), held(training(max_steps=12), 0.0), held(training(max_steps=12), 1e4)
    for one in (free, idle, firm):
        one.go()
    assert idle.outcome.metric("train_loss") == free.outcome.metric("train_loss")
    assert set(idle.outcome.metric("penalty").values()) == {0.0} and not free.outcome.metric("penalty")
    assert moved(firm) < 0.05 * moved(idle)
    assert firm.outcome.metric("train_loss")[12] > idle.outcome.metric("train_loss")[12]


def test_a_resumed_training_is_held_to_the_same_start(training: Callable[..., Training]) -> None:  # noqa: F811
    whole, cut = held(training(checkpoint_every=3), 0.5), held(training(checkpoint_every=3), 0.5)
    whole.go()
    real = cut.job.penalty
    assert real is not None
    calls = iter(range(100))

    def interrupted() -> float:
        if next(calls) == 4:
            raise KeyboardInterrupt
        return real()

    cut.job.penalty = interrupted
    with pytest.raises(KeyboardInterrupt):
        cut.go()
    again = held(training(checkpoint_every=3), 0.5)
    again.context.resume_from = cut.outcome.folder / "checkpoints" / "00000003"
    again.go()
    losses, values = whole.outcome.metric("train_loss"), whole.outcome.metric("penalty")
    assert again.outcome.metric("train_loss") == {step: losses[step] for step in (4, 5, 6)}
    assert again.outcome.metric("penalty") == {step: values[step] for step in (4, 5, 6)}
    assert values[6] > 0
