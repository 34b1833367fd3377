"""A rival of train_throughput.py, run by the Python in which LLaMA-Factory is installed: its own SFT on the same rows, in bf16, with rows
of like length together and without gradient checkpointing. Writes result.json."""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any


def main(folder: Path) -> None:
    settings = json.loads((folder / "settings.json").read_text())
    from llamafactory.train.sft.trainer import CustomSeq2SeqTrainer
    from llamafactory.train.tuner import run_exp
    from transformers import TrainerCallback

    described = {
        "rows": {
            "file_name": str(Path(settings["dataset"]) / "train.jsonl"), "formatting": "sharegpt", "columns": {"messages": "messages"},
            "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"},
        }
    }  # fmt: skip
    (folder / "dataset_info.json").write_text(json.dumps(described))
    begins: list[float] = []
    ends: list[float] = []
    counted = {"loss_tokens": 0, "all_tokens": 0}

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *args: object, **kwargs: object) -> None:
            begins.append(time.monotonic())

        def on_step_end(self, *args: object, **kwargs: object) -> None:
            ends.append(time.monotonic())

    compute_loss = CustomSeq2SeqTrainer.compute_loss

    def counting(self: Any, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        counted["loss_tokens"] += int((inputs["labels"] != -100).sum())
        counted["all_tokens"] += int(inputs["attention_mask"].sum())
        return compute_loss(self, model, inputs, *args, **kwargs)

    CustomSeq2SeqTrainer.compute_loss = counting
    chosen = {"bf16": True, "disable_gradient_checkpointing": True, "train_sampling_strategy": "group_by_length", "flash_attn": "sdpa"}
    run_exp(
        {
            "stage": "sft", "do_train": True, "model_name_or_path": settings["model"], "dataset": "rows", "dataset_dir": str(folder),
            "template": "smollm2", "finetuning_type": "lora", "lora_target": "all", "lora_rank": settings["rank"],
            "lora_alpha": settings["alpha"], "lora_dropout": 0.0, "output_dir": str(folder / "adapter"), "cutoff_len": 1024,
            "per_device_train_batch_size": settings["batch_size"], "gradient_accumulation_steps": 1, "max_steps": settings["steps"],
            "learning_rate": settings["learning_rate"], "lr_scheduler_type": "linear", "warmup_steps": settings["warmup_steps"],
            "seed": settings["seed"], "report_to": "none", "save_strategy": "no", "use_cpu": True, "disable_tqdm": True,
            "overwrite_cache": True, **chosen,
        },
        callbacks=[Clock()],
    )  # fmt: skip
    result = {"name": f"LLaMA-Factory {version('llamafactory')}", "seconds": ends[-1] - begins[0], "steps": len(ends), **counted}
    (folder / "result.json").write_text(json.dumps(result | {"settings": chosen}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
