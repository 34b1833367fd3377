import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import probes
from engine.lib import models


def test_a_frozen_head_is_not_copied_for_each_text(base_model: Path) -> None:
    tokenizer, model = models.load_tokenizer(base_model), models.load_model(base_model).requires_grad_(False)
    seen = []
    hook = model.get_output_embeddings().register_forward_hook(
        lambda _, inputs, __: seen.append((inputs[0].shape, inputs[0].is_contiguous()))
    )
    asked = [[{"role": "user", "content": text}] for text in ("What is a list?", "And a much longer question: what is a tuple?")]
    answers = models.greedy(model, tokenizer, asked, max_new_tokens=3)
    hook.remove()
    assert [len(answer) for answer in answers] == [3, 3]
    assert [shape[:2] for shape, _ in seen] == [(2, 1)] * 3
    assert all(contiguous for _, contiguous in seen)
    assert not model.get_output_embeddings()._forward_pre_hooks


def test_where_there_is_a_gpu_memory_and_utilisation_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    busy: dict[str, float] = {"GPU-1": 63.0}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 5 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda: SimpleNamespace(uuid="1"))
    monkeypatch.setattr(probes, "gpu_utilisation", busy.get)
    assert (models.resident_bytes(), models.utilisation(computed=9.0, seconds=1.0)) == (5 * 2**30, 63.0)
    busy.clear()
    assert math.isnan(models.utilisation(computed=9.0, seconds=1.0))


def test_each_process_of_a_team_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    assert models.pick_device() == "cuda" and not taken
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert models.pick_device() == "cuda" and taken == [3]


@pytest.mark.parametrize(("capability", "dtype"), [((7, 5), "float32"), ((8, 0), "bfloat16")])
def test_a_gpu_that_only_emulates_bf16_computes_in_fp32(capability: tuple[int, int], dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert models.pick_dtype() is getattr(torch, dtype)
    assert models.pick_dtype("bf16") is torch.bfloat16
