"""Kernels of other packages are put into a model, and only kept where they give what PyTorch gives."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine import events
from engine.context import Context
from engine.exits import InputError
from engine.lib.training import kernels
from engine.spec import Spec
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}


@pytest.fixture
def model() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    return LlamaForCausalLM(LlamaConfig(**SIZES)).train()


@pytest.fixture
def said(tmp_path: Path) -> Outcome:
    return Outcome(0, tmp_path)


@pytest.fixture
def context(said: Outcome) -> Context:
    return Context(said.folder, Spec(stage="sft"), events.EventWriter(said.folder))


@pytest.fixture
def liger(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Stands in for the package, and tells with what it was called. Its kernels get the last norm wrong by the ``factor`` of its module."""
    calls: list[dict[str, Any]] = []

    def apply(*, model: Any, **choices: Any) -> None:
        calls.append(choices)
        norm = model.model.norm
        plain = norm.forward
        norm.forward = lambda hidden: plain(hidden) * package.factor

    package, patches = ModuleType("liger_kernel.transformers"), ModuleType("liger_kernel.transformers.monkey_patch")
    package.factor, package._apply_liger_kernel_to_instance = 1.01, apply  # type: ignore[attr-defined]
    patches.MODEL_TYPE_TO_APPLY_LIGER_FN = {"llama": apply}  # type: ignore[attr-defined]
    for module in (ModuleType("liger_kernel"), package, patches):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


def test_an_attention_that_gives_the_same_is_kept(model: Any, context: Context, said: Outcome) -> None:
    assert kernels.put_in(context, model, "eager", liger=False) == ("eager", False)
    assert model.config._attn_implementation == "eager" and model.training
    assert not said.of("warning")


def test_flash_attention_that_does_not_work_is_told_and_done_without(model: Any, context: Context, said: Outcome) -> None:
    """Here: on a processor, which it is not made for."""
    model = model.to("cpu")
    assert kernels.put_in(context, model, kernels.FLASH, liger=False) == ("sdpa", False)
    (warning,) = said.of("warning")
    assert "FlashAttention 2 is installed and cannot be used" in warning["message"] and "goes on" in warning["mend"]
    assert kernels.hidden_states(model).isfinite().all()


def test_an_attention_that_gives_something_else_is_told_and_done_without(
    model: Any, context: Context, said: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.llama import modeling_llama

    real = modeling_llama.eager_attention_forward
    monkeypatch.setattr(modeling_llama, "eager_attention_forward", lambda *a, **k: (real(*a, **k)[0] * 3, None))
    expected = kernels.hidden_states(model)
    assert kernels.put_in(context, model, "eager", liger=False) == ("sdpa", False)
    assert "computes something else" in said.of("warning")[0]["message"]
    assert kernels.hidden_states(model).equal(expected)


def test_ligers_kernels_are_put_in_without_its_loss(model: Any, context: Context, said: Outcome, liger: list[dict[str, Any]]) -> None:
    assert kernels.put_in(context, model, "sdpa", liger=True) == ("sdpa", True)
    assert liger == [{"cross_entropy": False, "fused_linear_cross_entropy": False}]
    assert not said.of("warning")


def test_kernels_of_ligers_that_compute_something_else_are_refused(model: Any, context: Context, liger: list[dict[str, Any]]) -> None:
    sys.modules["liger_kernel.transformers"].factor = 1.5  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="something else") as raised:
        kernels.put_in(context, model, "sdpa", liger=True)
    assert (raised.value.code, raised.value.where) == ("liger", "liger-kernel")


@pytest.mark.parametrize("fails", ["applied", "run"])
def test_kernels_of_ligers_that_fail_are_refused_in_words(
    model: Any, context: Context, liger: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise TypeError("no such norm\nat some line")

    if fails == "applied":
        monkeypatch.setattr(sys.modules["liger_kernel.transformers"], "_apply_liger_kernel_to_instance", fail)
    else:
        apply = lambda *, model, **_: setattr(model.model.norm, "forward", fail)  # noqa: E731
        monkeypatch.setattr(sys.modules["liger_kernel.transformers"], "_apply_liger_kernel_to_instance", apply)
    with pytest.raises(InputError, match=r"no such norm$") as raised:
        kernels.put_in(context, model, "sdpa", liger=True)
    assert (raised.value.code, raised.value.where) == ("liger", "liger-kernel")
    assert model.training


def test_a_family_that_liger_does_not_know_is_left_as_it_is(model: Any, context: Context, liger: list[dict[str, Any]]) -> None:
    sys.modules["liger_kernel.transformers.monkey_patch"].MODEL_TYPE_TO_APPLY_LIGER_FN.clear()  # type: ignore[attr-defined]
    assert kernels.put_in(context, model, "sdpa", liger=True) == ("sdpa", False)
    assert not liger


def test_a_liger_that_cannot_be_imported_is_told(model: Any, context: Context, said: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "liger_kernel", None)
    assert kernels.put_in(context, model, "sdpa", liger=True) == ("sdpa", False)
    assert said.of("warning")[0]["code"] == "liger"


def test_looking_draws_no_random_number(model: Any) -> None:
    import torch

    before = torch.get_rng_state()
    kernels.hidden_states(model)
    assert torch.get_rng_state().equal(before)
