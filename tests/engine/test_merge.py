"""A merged model answers like the model with its adapter."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest
from engine.exits import InputError
from engine.lib import parity
from engine.lib.merging import check_same
from tests.engine.stage_running import Outcome


def test_it_writes_the_adapter_into_the_weights(trained: Outcome, engine_run: Callable, base_model: Path) -> None:
    outcome = engine_run("merge", {}, {"model": base_model, "adapter": trained.output("adapter")})
    record = manifest.verify(outcome.output("model"))
    assert record.kind == "hf-model"
    assert record.facts["merged"] is True
    assert record.facts["logit_difference"] < record.facts["adapter_effect"] / 2
    assert record.files["model.safetensors"].bytes == manifest.read(base_model).files["model.safetensors"].bytes
    assert record.files["model.safetensors"].sha256 != manifest.read(base_model).files["model.safetensors"].sha256


def test_it_refuses_an_adapter_of_another_model(engine_run: Callable, base_model: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    manifest.write(adapter, "adapter", facts={"base": "another"})
    outcome = engine_run("merge", {}, {"model": base_model, "adapter": adapter}, expect=20)
    assert outcome.of("error")[0]["code"] == "adapter_mismatch"


def test_it_refuses_a_merge_that_answers_otherwise_than_the_adapter() -> None:
    import torch

    torch.manual_seed(0)
    before = torch.randn(12, 100)
    check_same(parity.compare_logits(before, before + 0.01 * torch.randn(12, 100)))
    with pytest.raises(InputError, match="does not answer like"):
        check_same(parity.compare_logits(before, before + 0.5 * torch.randn(12, 100)))
