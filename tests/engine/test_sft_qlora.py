"""QLoRA holds the base in few bits, passes gradients through it, and hands over an ordinary adapter."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest
from tests.engine.stage_running import Outcome

PARAMS = {"max_steps": 3, "batch_size": 2, "warmup_ratio": 0.0, "schedule": "constant", "general_rows": 0, "eval_rows": 2}


def megabytes(outcome: Outcome) -> float:
    (said,) = [found[1] for data in outcome.of("log") if (found := re.search(r"The model takes ([\d,]+) MB", data["message"]))]
    return float(said.replace(",", ""))


@pytest.mark.parametrize(("bits", "most"), [("nf4", 0.5), ("int8", 0.75)])
def test_the_base_is_held_in_fewer_bits_and_every_layer_learns(
    bits: str, most: float, engine_run: Callable, base_model: Path, topics: Path
) -> None:
    from safetensors.torch import load_file

    # a look after each step: what it does to the layers must not keep the next step from learning
    outcome = engine_run("sft_qlora", PARAMS | {"bits": bits, "eval_every": 1}, {"model": base_model, "dataset": topics})
    whole = manifest.read(base_model).files["model.safetensors"].bytes / 1e6
    assert megabytes(outcome) < most * whole  # the embeddings, a fifth of this model, stay in 16 bits
    record = manifest.verify(outcome.output("adapter"))
    assert (record.kind, record.facts["method"], record.facts["bits"]) == ("adapter", "qlora", bits)
    weights = load_file(str(outcome.output("adapter") / "adapter_model.safetensors"))
    moved = [name for name, weight in weights.items() if "lora_B" in name and weight.abs().sum() > 0]
    assert len(moved) == len([name for name in weights if "lora_B" in name]) == 30 * 7
    evals = outcome.metric("eval_loss")
    assert evals[3] < evals[0]


def test_looks_do_not_change_what_is_learnt(engine_run: Callable, tiny_student: Path, topics: Path) -> None:
    inputs = {"model": tiny_student, "dataset": topics}
    seldom, often = (engine_run("sft_qlora", PARAMS | {"eval_every": every}, inputs) for every in (3, 1))
    assert often.metric("train_loss") == seldom.metric("train_loss")
