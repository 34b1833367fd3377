"""What the tests of preference training share: a tiny model, a dataset of preference pairs, and the library's trainers run plainly."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.python_topics import topic_pairs
from engine import manifest
from engine.context import Context
from engine.run import run
from engine.spec import Spec
from tests.engine.stage_running import Outcome, run_stage
from tests.materials import base_model_folder

# in fp32 and without warm-up, so that two trainings can be compared to the last digit; two batches a step, three steps in an epoch
SETTINGS = {
    "max_steps": 4, "epochs": 5, "batch_size": 2, "gradient_accumulation": 2, "max_length": 160, "learning_rate": 5e-3,
    "warmup_ratio": 0.0, "precision": "fp32", "eval_every": 2, "eval_rows": 4, "general_rows": 2, "keep": "last",
}  # fmt: skip
LORA = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "target_modules": "all-linear", "bias": "none", "task_type": "CAUSAL_LM"}
# the same in the words of TRL's configurations
PLAIN: dict[str, Any] = {
    "max_steps": SETTINGS["max_steps"], "per_device_train_batch_size": SETTINGS["batch_size"],
    "gradient_accumulation_steps": SETTINGS["gradient_accumulation"], "learning_rate": SETTINGS["learning_rate"],
    "lr_scheduler_type": "linear", "bf16": False, "use_cpu": True, "logging_steps": 1, "save_strategy": "no", "report_to": "none",
    "disable_tqdm": True, "seed": 0, "gradient_checkpointing": False,
}  # fmt: skip
SIZES = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
WORSE = ("I do not know.", "That is a secret.", "Bananas are yellow, and so is the sun.", "Please ask somebody else about this.")


def preference_rows(count: int, *, skip: int = 0) -> list[dict[str, Any]]:
    """``count`` rows of short real pairs from Python's reference, each with an answer beside it that nobody wants."""
    short = [pair for pairs in topic_pairs().values() for pair in pairs if len(pair[1]) < 200][skip : skip + count]
    return [
        {
            "id": str(number),
            "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
            "rejected": [{"role": "assistant", "content": WORSE[number % len(WORSE)]}],
            "fork": 1,
        }
        for number, (question, answer) in enumerate(short)
    ]


def write_dataset(folder: Path, **splits: list[dict[str, Any]]) -> Path:
    """A `dataset` artifact in ``folder`` of just these rows."""
    folder.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in splits.get(split, [])), "utf-8")
    (folder / "card.json").write_text("{}")
    manifest.write(folder, "dataset")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An `hf-model` of two small layers that knows nothing, with the tokenizer of the real one."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny") / "model"
    tokenizer = AutoTokenizer.from_pretrained(str(base_model_folder()))
    torch.manual_seed(1)
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    model = LlamaForCausalLM(LlamaConfig(**SIZES, **ends, vocab_size=len(tokenizer), tie_word_embeddings=True))
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    manifest.write(folder, "hf-model")
    return folder


@pytest.fixture(scope="session")
def preferences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 12 preference pairs, and 4 to validate on."""
    folder = tmp_path_factory.mktemp("preferences") / "dataset"
    return write_dataset(folder, train=preference_rows(12), validation=preference_rows(4, skip=12))


@pytest.fixture(scope="session")
def reward_model(base_model: Path, preferences: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judge on the real small model that has seen what is good and what nobody wants."""
    params = {"max_steps": 6, "epochs": 9, "batch_size": 2, "max_length": 160, "learning_rate": 5e-4, "warmup_ratio": 0.0, "eval_rows": 2}
    spec = Spec(stage="reward", params=params, inputs={"model": str(base_model), "dataset": str(preferences)})
    return run_stage(tmp_path_factory.mktemp("judge") / "run", spec).output("adapter")


@pytest.fixture
def prefer(tiny_model: Path, preferences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """``prefer(stage, …)``: one attempt at a training of the tiny model, in this process, for the libraries take long to load.

    ``stop_at`` asks it to stop once it has told of that step. Further settings by name.
    """
    counter = iter(range(100))
    real = Context.metric

    def start(
        stage: str, *, model: Path = tiny_model, adapter: Path | None = None, reward: Path | None = None, dataset: Path = preferences,
        resume_from: Path | None = None, expect: int = 0, stop_at: int = 0, **settings: Any,
    ) -> Outcome:  # fmt: skip
        def metric(self: Context, step: int, **values: float) -> None:
            real(self, step, **values)
            if step == stop_at and "train_loss" in values:
                os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(Context, "metric", metric)
        given = {"model": model, "dataset": dataset, "adapter": adapter, "reward": reward}
        inputs = {role: str(folder) for role, folder in given.items() if folder}
        spec = Spec(stage=stage, params=SETTINGS | settings, inputs=inputs, resume_from=str(resume_from) if resume_from else None)
        folder = tmp_path / f"{next(counter):02d}-{stage}"
        folder.mkdir()
        spec.write(folder)
        outcome = Outcome(run(folder), folder)
        assert outcome.code == expect, outcome.of("error")
        return outcome

    return start


def losses_of_the_library(
    trainer: type, config: type, base: Path, rows: list[dict[str, Any]], output: Path, **options: Any
) -> dict[int, float]:
    """The first losses of the library's own ``trainer`` as anybody would start it, on the same rows and settings, but ``options``."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = trainer(
        model=AutoModelForCausalLM.from_pretrained(str(base), dtype="float32"),
        args=config(**(PLAIN | {"output_dir": str(output), "max_length": SETTINGS["max_length"]} | options)),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(str(base)),
        peft_config=LoraConfig(**LORA),
    )  # fmt: skip
    run.train()
    return {entry["step"]: entry["loss"] for entry in run.state.log_history if "loss" in entry}


def in_the_trainers_form(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"prompt": row["messages"][:1], "chosen": row["messages"][1:], "rejected": row["rejected"]} for row in rows]


def answers_as_adapter(base: Path, adapter: Path) -> str:
    """What the base says with the adapter on it, loaded as the studio and PEFT do."""
    from engine.lib import adapters, models

    model = adapters.load_adapter(models.load_model(base), adapter)
    return models.speak(model, models.load_tokenizer(base), "What is a list?", max_new_tokens=3)
