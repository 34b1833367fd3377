"""On the real small model the first losses are those of TRL's own trainer, on the same rows in the same order: it learns the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.lib import adapters, batches, chat_rows, models
from engine.lib.training.settings import VirtualTokenParams

STEPS, BATCH, SEED = 3, 2, 5
SETTINGS = {
    "max_steps": STEPS, "batch_size": BATCH, "warmup_ratio": 0.0, "precision": "fp32", "general_rows": 0, "eval_rows": 1,
    "max_length": 256, "schedule": "constant",
}  # fmt: skip
NF4 = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}


def trl_losses(base: Path, dataset: Path, folder: Path, *, rate: float, adapt: Callable[[Any, Any], Any] | None, nf4: bool) -> list[float]:
    """The loss of each of the first steps by `trl.SFTTrainer`, on the rows of our own order, the loss on the answers alone."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    from trl import SFTConfig, SFTTrainer

    tokenizer = models.load_tokenizer(base)
    rows, _ = chat_rows.encode(chat_rows.read_split(dataset, "train"), tokenizer, SETTINGS["max_length"])
    order = [row for batch in batches.shuffled([len(row.ids) for row in rows], BATCH, SEED, 0) for row in batch]
    # as tokens: rendered by TRL, the line break after the end marker would count as part of the answer
    data = Dataset.from_list([{"input_ids": rows[i].ids, "completion_mask": [int(a) for a in rows[i].answer]} for i in order])
    torch.manual_seed(SEED)
    low_bit: dict[str, Any] = {"quantization_config": BitsAndBytesConfig(**NF4, bnb_4bit_compute_dtype=torch.float32)} if nf4 else {}
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, **low_bit)
    if adapt:
        model = adapt(model, tokenizer)
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=data,
        args=SFTConfig(
            output_dir=str(folder), max_steps=STEPS, per_device_train_batch_size=BATCH, learning_rate=rate,
            lr_scheduler_type="constant", warmup_steps=0, weight_decay=0.0, max_grad_norm=1.0, completion_only_loss=True,
            train_sampling_strategy="sequential", bf16=False, gradient_checkpointing=False, logging_steps=1, save_strategy="no",
            report_to=[], disable_tqdm=True, max_length=None, use_cpu=True, seed=SEED, dataloader_pin_memory=False,
        ),
    )  # fmt: skip
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def with_lora(model: Any, _: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, config, autocast_adapter_dtype=False)


def with_ia3(model: Any, _: Any) -> Any:
    from peft import IA3Config, get_peft_model

    return get_peft_model(model, IA3Config(task_type="CAUSAL_LM"))


def with_prompt(model: Any, tokenizer: Any) -> Any:
    return adapters.attach_prompt(model, tokenizer, VirtualTokenParams())


def with_prefix(model: Any, tokenizer: Any) -> Any:
    return adapters.attach_prefix(model, tokenizer, VirtualTokenParams())


@pytest.mark.parametrize(
    ("stage", "rate", "adapt", "nf4"),
    [
        ("sft", 5e-4, with_lora, False),
        ("sft_full", 2e-5, None, False),
        ("sft_qlora", 5e-4, with_lora, True),
        ("sft_ia3", 1e-2, with_ia3, False),
        ("sft_prompt", 3e-2, with_prompt, False),
        ("sft_prefix", 1e-2, with_prefix, False),
    ],
)
def test_the_first_losses_are_trls(
    stage: str,
    rate: float,
    adapt: Callable[[Any, Any], Any] | None,
    nf4: bool,
    engine_run: Callable,
    base_model: Path,
    topics: Path,
    tmp_path: Path,
) -> None:
    ours = engine_run(stage, SETTINGS, {"model": base_model, "dataset": topics}, seed=SEED)
    theirs = trl_losses(base_model, topics, tmp_path / "trl", rate=rate, adapt=adapt, nf4=nf4)
    assert list(ours.metric("train_loss").values()) == pytest.approx(theirs, abs=1e-3)
    assert max(theirs) - min(theirs) > 0.01  # other rows, other losses: the order counts
