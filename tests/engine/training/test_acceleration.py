"""What is chosen on which machine, and how it is told."""

from typing import Any

import pytest

from engine import probes
from engine.exits import InputError
from engine.lib.training import acceleration
from engine.lib.training.acceleration import Machine, choose

EVERYTHING = {"flash-attn": "2.8.3.post1", "liger-kernel": "0.8.5", "bitsandbytes": "0.50.2"}
H200 = {"gpu": "NVIDIA H200", "capability": (9, 0)}
T4 = {"gpu": "Tesla T4", "capability": (7, 5)}
PROCESSOR = {"cores": 2, "cpu_has_bf16": True}


@pytest.mark.parametrize(
    ("machine", "packages", "precision", "attention", "liger"),
    [
        (H200, EVERYTHING, "bf16", "flash_attention_2", True),
        (H200, {}, "bf16", "sdpa", False),
        (H200, {"liger-kernel": "0.8.5"}, "bf16", "sdpa", True),
        (H200, {"flash-attn": "2.3.0"}, "bf16", "sdpa", False),  # older than transformers takes
        (H200, {"flash-attn": "2.10.0"}, "bf16", "flash_attention_2", False),
        (T4, EVERYTHING, "fp32", "sdpa", False),  # it would only emulate bf16
        (PROCESSOR, EVERYTHING, "bf16", "sdpa", False),
        (PROCESSOR | {"cpu_has_bf16": False}, {}, "fp32", "sdpa", False),
    ],
)
def test_the_fastest_that_is_there_is_chosen(
    machine: dict[str, Any], packages: dict[str, str], precision: str, attention: str, liger: bool
) -> None:
    has = Machine(**machine, packages=packages)
    chosen = choose(has, precision=has.precision, optimizer="adamw")
    assert (chosen.precision, chosen.attention, chosen.liger) == (precision, attention, liger)


def test_flash_attention_does_not_compute_in_fp32() -> None:
    assert choose(Machine(**H200, packages=EVERYTHING), precision="fp32", optimizer="adamw").attention == "sdpa"


@pytest.mark.parametrize(("packages", "sharded", "words"), [({}, False, "needs bitsandbytes"), (EVERYTHING, True, "split over")])
def test_an_optimiser_that_cannot_be_used_is_refused(packages: dict[str, str], sharded: bool, words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        choose(Machine(**H200, packages=packages), precision="bf16", optimizer="adamw_8bit", sharded=sharded)
    assert raised.value.where == "optimizer" and raised.value.mend


@pytest.mark.parametrize(
    ("machine", "packages", "optimizer", "words"),
    [
        (H200, EVERYTHING, "adamw", "bf16 on NVIDIA H200, attention: FlashAttention 2, layers: Liger, optimiser: AdamW (fused)"),
        (PROCESSOR, EVERYTHING, "adamw_8bit", "bf16 on 2 processor cores, attention: PyTorch SDPA, optimiser: AdamW (8-bit)"),
        ({"cores": 1}, {}, "adamw", "fp32 on 1 processor core, attention: PyTorch SDPA, optimiser: AdamW (fused)"),
    ],
)
def test_it_is_told_in_words(machine: dict[str, Any], packages: dict[str, str], optimizer: str, words: str) -> None:
    has = Machine(**machine, packages=packages)
    assert choose(has, precision=has.precision, optimizer=optimizer).told(has) == f"Computed in {words}"


def test_this_machine_is_what_torch_and_the_probes_say() -> None:
    import torch

    found = acceleration.this_machine()
    assert found.packages == probes.packages() and found.packages["bitsandbytes"]
    assert found.gpu == (torch.cuda.get_device_name() if torch.cuda.is_available() else "")
    assert found.gpu or (found.cores, found.cpu_has_bf16) == (probes.cores(), probes.cpu_has_bf16())
