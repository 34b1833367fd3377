"""Trained tokens a second: our `sft` stage by its real command against TRL's SFTTrainer with its defaults, in one go.

    python -m benchmarks.train_speed [--json FILE] [--rows 256]

Same model, rows, LoRA shape, batch size, learning rate and number of steps. Tokens that carry loss are counted on both sides,
from the beginning of the first step to the end of the last. The held-out loss of both adapters is computed by the same code.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.python_topics import write_dataset
from engine.events import read_from
from engine.spec import Spec

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate")
SETTINGS: dict[str, Any] = {"batch_size": 8, "learning_rate": 5e-4, "rank": 16, "alpha": 32, "seed": 0}


def command(log: Path, *arguments: str) -> None:
    """Run Python with ``arguments``, its words into ``log``. Raises ``SystemExit`` with their tail when it fails."""
    # the same waiting policy for both, or whatever else runs on the machine would slow the rival far more than our stage
    policy = {"OMP_WAIT_POLICY": "PASSIVE"}
    environment = {**os.environ, **policy, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with open(log, "wb") as file:
        code = subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=file, stderr=file, env=environment).returncode
    if code != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with {code}\n{log.read_text('utf-8', 'replace')[-3000:]}")


def ours(work: Path, model: Path, dataset: Path, steps: int) -> dict[str, Any]:
    """Our stage, without its own looks at the validation pairs: those are not training."""
    folder = work / "ours"
    params = {
        "batch_size": SETTINGS["batch_size"], "learning_rate": SETTINGS["learning_rate"], "rank": SETTINGS["rank"],
        "alpha": SETTINGS["alpha"], "max_steps": steps, "eval_every": 10**6, "warmup_ratio": 0.0,
    }  # fmt: skip
    inputs = {"model": str(model), "dataset": str(dataset)}
    Spec(stage="sft", params=params, inputs=inputs, seed=SETTINGS["seed"]).write(folder)
    command(work / "ours.log", "-m", "engine", "run", str(folder))
    events, _ = read_from(folder / "events.jsonl", 0, 1 << 30)
    summary = events[-1].data["summary"]
    return {
        "seconds": summary["train_seconds"], "steps": summary["steps"], "loss_tokens": summary["answer_tokens"],
        "all_tokens": summary["all_tokens"], "adapter": folder / "outputs" / "adapter",
    }  # fmt: skip


def trl(work: Path, model: Path, dataset: Path, steps: int) -> dict[str, Any]:
    folder = work / "trl"
    folder.mkdir()
    settings = SETTINGS | {"model": str(model), "dataset": str(dataset), "steps": steps, "warmup_steps": 0}
    (folder / "settings.json").write_text(json.dumps(settings))
    command(work / "trl.log", "-m", "benchmarks.trl_rival", str(folder))
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result | {"adapter": folder / "adapter"}


def held_out(model: Path, dataset: Path, adapters: list[Path]) -> tuple[float, list[float]]:
    """Loss per answer token on the test pairs: of the base, and with each adapter."""
    from engine.lib import adapters as lora
    from engine.lib import chat_rows, models, scoring

    models.prepare_libraries()
    tokenizer = models.load_tokenizer(model)
    rows, _ = chat_rows.encode(chat_rows.read_split(dataset, "test"), tokenizer, 1024)

    def loss(adapter: Path | None) -> float:
        loaded = models.load_model(model)
        if adapter is not None:
            loaded = lora.load_adapter(loaded, adapter)
        sums = scoring.row_losses(loaded, rows, tokenizer.pad_token_id)
        assert sums is not None
        return scoring.mean_loss(sums)

    return loss(None), [loss(adapter) for adapter in adapters]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the result there as well")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--model", type=Path, help="an hf-model folder; by default SmolLM2-135M as the tests import it")
    arguments = parser.parse_args()
    model = arguments.model
    if model is None:
        from tests.materials import base_model_folder

        model = base_model_folder()
    steps = math.ceil(arguments.rows / SETTINGS["batch_size"])
    with tempfile.TemporaryDirectory(prefix="studio-benchmark-") as name:
        work = Path(name)
        dataset = write_dataset(work / "dataset", train=arguments.rows, validation=8, test=96)
        mine, theirs = ours(work, model, dataset, steps), trl(work, model, dataset, steps)
        base, (my_loss, their_loss) = held_out(model, dataset, [mine["adapter"], theirs["adapter"]])
    name_of_rival = f"TRL {report.versions('trl')['trl']} SFTTrainer"
    rows = [
        report.Row(
            "trained tokens (with loss) a second", "tokens/s", mine["loss_tokens"] / mine["seconds"],
            theirs["loss_tokens"] / theirs["seconds"], name_of_rival, "at least 2",
        ),
        report.Row(
            "all tokens a second", "tokens/s", mine["all_tokens"] / mine["seconds"],
            theirs["all_tokens"] / theirs["seconds"], name_of_rival,
        ),
        report.Row("held-out loss", "nats/token", my_loss, their_loss, name_of_rival, "at most 1.01"),
        report.Row("tokens with loss", "tokens", mine["loss_tokens"], theirs["loss_tokens"], name_of_rival),
    ]  # fmt: skip
    print(report.table(rows))
    print(f"\nheld-out loss before training: {base:.3f}; {steps} steps of {SETTINGS['batch_size']} rows")
    extra = {"settings": SETTINGS | {"steps": steps, "rows": arguments.rows}, "base_loss": base, "rival_settings": theirs["settings"]}
    if arguments.json:
        report.write(arguments.json, report.report("train_speed", rows, PACKAGES, extra))


if __name__ == "__main__":
    main()
