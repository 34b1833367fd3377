"""A rival of train_throughput.py, in a process of its own: TRL's SFTTrainer on the same rows. Writes result.json.

``best`` in the settings: with those of its public settings that make it fastest on this machine at the same batches: no gradient
checkpointing, weights in bf16, rows of like length together. By default as it comes.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any


def main(folder: Path) -> None:
    settings = json.loads((folder / "settings.json").read_text())
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    rows = [json.loads(line)["messages"] for line in (Path(settings["dataset"]) / "train.jsonl").read_text("utf-8").splitlines()]
    # prompt and completion: TRL then puts the loss on the answer only, as our stage does
    data = Dataset.from_list([{"prompt": messages[:-1], "completion": messages[-1:]} for messages in rows])
    marks: list[tuple[float, int]] = []
    counted = {"loss": 0, "all": 0}

    class Clock(TrainerCallback):
        def on_step_begin(self, *args: object, **kwargs: object) -> None:
            marks.append((time.monotonic(), 0))

        def on_step_end(self, *args: object, **kwargs: object) -> None:
            marks.append((time.monotonic(), 1))

    class Counting(SFTTrainer):
        def compute_loss(self, model, inputs, *args, **kwargs):  # type: ignore[no-untyped-def]
            counted["loss"] += int((inputs["labels"] != -100).sum())
            counted["all"] += int(inputs["attention_mask"].sum()) if "attention_mask" in inputs else inputs["input_ids"].numel()
            return super().compute_loss(model, inputs, *args, **kwargs)

    best: dict[str, Any] = {}
    if settings["best"]:
        best = {
            "gradient_checkpointing": False, "bf16": True, "train_sampling_strategy": "group_by_length",
            "model_init_kwargs": {"dtype": "bfloat16", "attn_implementation": "sdpa"},
        }  # fmt: skip
    trainer = Counting(
        model=settings["model"],
        args=SFTConfig(
            output_dir=str(folder / "out"), per_device_train_batch_size=settings["batch_size"], learning_rate=settings["learning_rate"],
            max_steps=settings["steps"], report_to=[], save_strategy="no", seed=settings["seed"], disable_tqdm=True,
            warmup_steps=settings["warmup_steps"], use_cpu=not torch.cuda.is_available(), **best,
        ),
        train_dataset=data,
        peft_config=LoraConfig(
            r=settings["rank"], lora_alpha=settings["alpha"], lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
        callbacks=[Clock()],
    )  # fmt: skip
    trainer.train()
    trainer.save_model(str(folder / "adapter"))
    begins, ends = [t for t, kind in marks if kind == 0], [t for t, kind in marks if kind == 1]
    settings_used = {
        "gradient_checkpointing": trainer.args.gradient_checkpointing, "bf16": trainer.args.bf16,
        "weights": str(next(trainer.model.parameters()).dtype), "threads": torch.get_num_threads(),
    }  # fmt: skip
    result = {"seconds": ends[-1] - begins[0], "steps": len(ends), "loss_tokens": counted["loss"], "all_tokens": counted["all"]}
    (folder / "result.json").write_text(json.dumps(result | {"settings": settings_used | best}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
