"""Trained tokens a second: our `sft` stage by its real command against other trainers, one after another in one go.

    python -m benchmarks.train_throughput [--json FILE] [--rows 256] [--model FOLDER] [--llamafactory PYTHON]

Rivals: TRL's SFTTrainer as it comes, the same with its best public settings, and LLaMA-Factory where ``--llamafactory`` names a
Python that has it (its dependencies contradict ours). Same model, rows, LoRA shape, batch size, learning rate and number of steps.
Tokens that carry loss are counted on all sides, from the beginning of the first step to the end of the last, the optimiser included.
The held-out loss of every adapter is computed by the same code. How fast this machine multiplies matrices is measured as well.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import matrix_rate, report
from benchmarks.python_topics import write_dataset
from engine.events import read_from
from engine.spec import Spec

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate")
SETTINGS: dict[str, Any] = {"batch_size": 8, "learning_rate": 5e-4, "rank": 16, "alpha": 32, "seed": 0, "warmup_steps": 0}


@dataclass(frozen=True)
class Measured:
    """One side: what it did in ``seconds`` of steps, and the adapter that came of it."""

    name: str
    seconds: float
    steps: int
    loss_tokens: int
    all_tokens: int
    adapter: Path
    settings: dict[str, Any]


def command(log: Path, *arguments: str, python: str = sys.executable) -> None:
    """Run Python with ``arguments``, its words into ``log``. Raises ``SystemExit`` with their tail when it fails."""
    # the same waiting policy for all, or whatever else runs on the machine would slow the rivals far more than our stage
    policy = {"OMP_WAIT_POLICY": "PASSIVE"}
    environment = {**os.environ, **policy, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with open(log, "wb") as file:
        code = subprocess.run([python, *arguments], cwd=ROOT, stdout=file, stderr=file, env=environment).returncode
    if code != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with {code}\n{log.read_text('utf-8', 'replace')[-3000:]}")


def ours(work: Path, model: Path, dataset: Path, steps: int) -> Measured:
    """Our stage, without its own looks at validation and general texts: those are not training."""
    folder = work / "ours"
    params = {name: SETTINGS[name] for name in ("batch_size", "learning_rate", "rank", "alpha")}
    params |= {"max_steps": steps, "eval_every": 10**6, "warmup_ratio": 0.0, "general_rows": 0, "eval_rows": 1}
    inputs = {"model": str(model), "dataset": str(dataset)}
    Spec(stage="sft", params=params, inputs=inputs, seed=SETTINGS["seed"]).write(folder)
    command(work / "ours.log", "-m", "engine", "run", str(folder))
    events, _ = read_from(folder / "events.jsonl", 0, 1 << 30)
    found = events[-1].data["summary"]
    adapter = folder / "outputs" / "adapter"
    return Measured("DSLM Studio", found["train_seconds"], found["steps"], found["answer_tokens"], found["all_tokens"], adapter, params)


def rival(
    name: str, work: Path, model: Path, dataset: Path, steps: int, module: str, python: str = sys.executable, **more: Any
) -> Measured:
    """``benchmarks/<module>.py`` in a process of its own, which reads settings.json in its folder and writes result.json and adapter/."""
    folder = work / "".join(filter(str.isalnum, name))
    folder.mkdir()
    settings = SETTINGS | {"model": str(model), "dataset": str(dataset), "steps": steps} | more
    (folder / "settings.json").write_text(json.dumps(settings))
    command(folder / "log.txt", str(ROOT / "benchmarks" / f"{module}.py"), str(folder), python=python)
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return Measured(name=result.pop("name", name), adapter=folder / "adapter", **result)


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


def rows_against(mine: Measured, theirs: Measured, my_loss: float, their_loss: float, aim: str) -> list[report.Row]:
    speed, everything = (lambda one: one.loss_tokens / one.seconds), (lambda one: one.all_tokens / one.seconds)
    return [
        report.Row("trained tokens (with loss) a second", "tokens/s", speed(mine), speed(theirs), theirs.name, aim),
        report.Row("all tokens a second", "tokens/s", everything(mine), everything(theirs), theirs.name),
        report.Row("held-out loss", "nats/token", my_loss, their_loss, theirs.name, "at most 1.01"),
        report.Row("tokens with loss", "tokens", mine.loss_tokens, theirs.loss_tokens, theirs.name),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the result there as well")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--model", type=Path, help="an hf-model folder; by default SmolLM2-135M as the tests import it")
    parser.add_argument("--llamafactory", metavar="PYTHON", help="a Python in which LLaMA-Factory is installed")
    arguments = parser.parse_args()
    model = arguments.model
    if model is None:
        from tests.materials import base_model_folder

        model = base_model_folder()
    steps = math.ceil(arguments.rows / SETTINGS["batch_size"])
    trl = f"TRL {report.versions('trl')['trl']}"
    with tempfile.TemporaryDirectory(prefix="studio-benchmark-") as name:
        work = Path(name)
        dataset = write_dataset(work / "dataset", train=arguments.rows, validation=8, test=96)
        peak = matrix_rate.measure()
        mine = ours(work, model, dataset, steps)
        theirs = {
            "at least 2.5": rival(f"{trl} as it comes", work, model, dataset, steps, "trl_rival", best=False),
            "at least 1.5": rival(f"{trl} at its best", work, model, dataset, steps, "trl_rival", best=True),
        }
        if arguments.llamafactory:
            theirs[""] = rival("LLaMA-Factory", work, model, dataset, steps, "llamafactory_rival", python=arguments.llamafactory)
        base, losses = held_out(model, dataset, [mine.adapter, *(one.adapter for one in theirs.values())])
        achieved = matrix_rate.of_training(model, mine.all_tokens, mine.loss_tokens, SETTINGS["rank"]) / mine.seconds
    rows = [
        row for (aim, one), loss in zip(theirs.items(), losses[1:], strict=True) for row in rows_against(mine, one, losses[0], loss, aim)
    ]
    rows.append(report.Row("matrix products", "GFLOP/s", achieved / 1e9, peak / 1e9, "torch.matmul of 2,048³ in bf16"))
    print(report.table(rows))
    print(f"\nheld-out loss before training: {base:.3f}; {steps} steps of {SETTINGS['batch_size']} rows")
    extra = {"settings": SETTINGS | {"steps": steps, "rows": arguments.rows}, "base_loss": base}
    extra["sides"] = [{"name": one.name, "seconds": one.seconds, "settings": one.settings} for one in (mine, *theirs.values())]
    if arguments.json:
        report.write(arguments.json, report.report("train_throughput", rows, PACKAGES, extra))


if __name__ == "__main__":
    main()
