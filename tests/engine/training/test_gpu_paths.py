"""Training on a GPU, by the real command on the real small model. Without one these are skipped, and the summary of the tests says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import manifest, probes
from tests.engine.stage_running import FOUR_STEPS, Outcome

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
PARAMS = {"max_steps": 12, "batch_size": 4, "epochs": 9, "warmup_ratio": 0.0, "eval_every": 6, "eval_rows": 4, "general_rows": 2}
KERNELS = {"flash-attn": "attention: FlashAttention 2", "liger-kernel": "layers: Liger"}
Train = Callable[..., Outcome]


@pytest.fixture(scope="session", autouse=True)
def gpu() -> str:
    """Its name. Asked for before anything is made for the tests."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("NO GPU HERE: training on one is NOT TESTED (PyTorch finds no CUDA device)")
    return str(torch.cuda.get_device_name())


@pytest.fixture
def train(engine_run: Callable, base_model: Path, topics: Path) -> Train:
    def start(stage: str, *, resume_from: Path | None = None, expect: int = 0, fault: str = "", **settings: Any) -> Outcome:
        inputs, environment = {"model": base_model, "dataset": topics}, {"STUDIO_FAULT": fault} if fault else {}
        return engine_run(stage, PARAMS | settings, inputs, seed=3, resume_from=resume_from, expect=expect, **environment)

    return start


def computed(outcome: Outcome) -> str:
    (said,) = [data["message"] for data in outcome.of("log") if data.get("about") == "computing"]
    return str(said)


def learnt(outcome: Outcome) -> None:
    losses, looks = list(outcome.metric("train_loss").values()), outcome.metric("eval_loss")
    assert len(losses) == PARAMS["max_steps"] and sum(losses[-3:]) < 0.95 * sum(losses[:3]) and looks[12] < looks[0]


def test_fine_tuning_in_bf16_learns_and_says_what_computed_it(train: Train, gpu: str) -> None:
    outcome = train("sft")
    learnt(outcome)
    said = computed(outcome)
    assert said.startswith(f"Computed in bf16 on {gpu}, attention: ") and said.endswith("optimiser: AdamW (fused)")
    assert manifest.verify(outcome.output("adapter")).facts["method"] == "lora"


def test_memory_and_utilisation_are_the_gpus(train: Train) -> None:
    import torch

    outcome = train("sft_full", learning_rate=1e-4)
    memory, total = outcome.metric("memory_bytes"), torch.cuda.get_device_properties(0).total_memory
    weights = manifest.read(outcome.output("model")).files["model.safetensors"].bytes / 2
    assert all(14 * weights < held < total for held in memory.values())  # bf16, fp32 copy and two moments of each
    busy = [value for value in outcome.metric("utilisation").values() if value is not None]
    assert all(0 <= value <= 100 for value in busy)
    assert busy or probes.gpu_utilisation(f"GPU-{torch.cuda.get_device_properties(0).uuid}") is None


def test_8_bit_adamw_learns_and_takes_less_memory(train: Train) -> None:
    whole, small = (train("sft_full", learning_rate=1e-4, optimizer=name) for name in ("adamw", "adamw_8bit"))
    for outcome in (whole, small):
        learnt(outcome)
    assert list(small.metric("train_loss").values()) == pytest.approx(list(whole.metric("train_loss").values()), rel=0.05)
    assert computed(small).endswith("AdamW (8-bit)")
    assert max(small.metric("memory_bytes").values()) < max(whole.metric("memory_bytes").values())


@pytest.mark.parametrize("bits", ["nf4", "int8"])
def test_qlora_learns_on_a_base_in_few_bits(train: Train, bits: str) -> None:
    learnt(train("sft_qlora", bits=bits))


def test_a_librarys_trainer_learns(engine_run: Callable, base_model: Path, tmp_path: Path, gpu: str) -> None:
    from tests.engine.preference_kit import preference_rows, write_dataset

    dataset = write_dataset(tmp_path / "preferences", train=preference_rows(16), validation=preference_rows(4, skip=16))
    settings = {"max_steps": 6, "epochs": 9, "batch_size": 4, "warmup_ratio": 0.0, "general_rows": 0, "max_length": 256}
    outcome = engine_run("dpo", settings, {"model": base_model, "dataset": dataset}, seed=3)
    margins = outcome.metric("rewards_margins")
    assert margins[6] > margins[1] and gpu in computed(outcome)


def test_a_resumed_training_goes_on_along_the_same_curve(train: Train) -> None:
    steps = FOUR_STEPS | {"epochs": 9}
    whole, cut = train("sft", **steps), train("sft", **steps, expect=-9, fault="checkpoint.after_rename")
    (checkpoint,) = sorted((cut.folder / "checkpoints").iterdir())
    resumed = train("sft", **steps, resume_from=checkpoint)
    expected = whole.metric("train_loss")
    # kernels on a GPU add in an order that is not always the same
    assert resumed.metric("train_loss") == pytest.approx({step: expected[step] for step in (3, 4)}, rel=1e-2)


@pytest.mark.parametrize("package", KERNELS)
def test_kernels_that_are_installed_are_used_and_learn_the_same(train: Train, package: str) -> None:
    if package not in probes.packages():
        pytest.skip(f"{package} IS NOT INSTALLED: training with it is NOT TESTED")
    outcome = train("sft")
    learnt(outcome)
    assert KERNELS[package] in computed(outcome) and not outcome.of("warning")
