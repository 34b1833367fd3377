"""Hand-made artifacts and runs: the folders and rows that a real training leaves behind, without training."""

import json
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalogue.models import BaseModelImport
from projects.models import Project, User
from runs.artifacts import artifact_register
from runs.models import Artifact, Run, RunInput, Status

BASE_KEY = "smollm2-135m-instruct"
QUESTION = "What does the with statement do?"
ANSWER = "It wraps the execution of a block with methods defined by a context manager."


def folder(files: Mapping[str, str | bytes]) -> Path:
    place = Path(tempfile.mkdtemp(prefix="studio-made-"))
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return place


def artifact(
    project: Project | None,
    kind: str,
    files: Mapping[str, str | bytes],
    *,
    facts: dict[str, Any] | None = None,
    run: Run | None = None,
    role: str = "",
    ready: bool = True,
) -> Artifact:
    place = folder(files)
    try:
        return artifact_register(project=project, kind=kind, folder=place, facts=facts, produced_by=run, role=role, ready=ready)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def ended_run(
    project: Project | None,
    stage: str,
    inputs: Mapping[str, Artifact] | None = None,
    *,
    title: str = "",
    by: User | None = None,
) -> Run:
    run = Run.objects.create(project=project, stage=stage, title=title or stage, queue="gpu", status=Status.SUCCEEDED, created_by=by)
    for role, source in (inputs or {}).items():
        RunInput.objects.create(run=run, role=role, artifact=source)
    return run


def base() -> Artifact:
    """The small base model, imported."""
    run = ended_run(None, "import_base", title="Import SmolLM2 135M Instruct")
    BaseModelImport.objects.update_or_create(key=BASE_KEY, defaults={"run": run})
    files = {"model.safetensors": uuid.uuid4().bytes * 64, "config.json": "{}"}
    return artifact(None, "hf-model", files, facts={"name": "SmolLM2 135M Instruct", "parameters": 134515008}, run=run, role="model")


def row(question: str = QUESTION, answer: str = ANSWER) -> str:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"id": uuid.uuid4().hex, "messages": messages, "sources": []})


def dataset(project: Project, train: int = 120, validation: int = 12, test: int = 12, *, extra: list[str] | None = None) -> Artifact:
    files = {
        f"{name}.jsonl": "".join(
            line + "\n" for line in [row(f"{QUESTION} ({n})") for n in range(count)] + (extra or [] if name == "train" else [])
        )
        for name, count in (("train", train), ("validation", validation), ("test", test))
    }
    return artifact(project, "dataset", {**files, "card.json": "{}"})


def adapter(project: Project, base_model: Artifact, data: Artifact, title: str = "First") -> Artifact:
    run = ended_run(project, "sft", {"model": base_model, "dataset": data}, title=f"Fine-tune with LoRA: {title}")
    files = {"adapter_model.safetensors": uuid.uuid4().bytes * 9, "adapter_config.json": "{}"}
    return artifact(project, "adapter", files, facts={"rank": 16}, run=run, role="adapter")


def soft_prompt(project: Project, base_model: Artifact, data: Artifact) -> Artifact:
    run = ended_run(project, "sft_prompt", {"model": base_model, "dataset": data}, title="Prompt tuning: First")
    files = {"adapter_model.safetensors": uuid.uuid4().bytes * 3, "adapter_config.json": "{}"}
    return artifact(project, "soft-prompt", files, facts={"virtual_tokens": 20}, run=run, role="adapter")


def reward_model(project: Project, base_model: Artifact, data: Artifact) -> Artifact:
    run = ended_run(project, "reward", {"model": base_model, "dataset": data}, title="Train a reward model: First")
    files = {"adapter_model.safetensors": uuid.uuid4().bytes * 5, "adapter_config.json": "{}"}
    return artifact(project, "reward-model", files, facts={"accuracy": 0.8}, run=run, role="adapter")


def merged(project: Project, base_model: Artifact, tuned: Artifact) -> Artifact:
    run = ended_run(project, "merge", {"model": base_model, "adapter": tuned}, title="Merge adapter into model: First")
    return artifact(project, "hf-model", {"model.safetensors": uuid.uuid4().bytes, "sub/config.json": "{}"}, run=run, role="model")


def gguf(project: Project, whole: Artifact) -> Artifact:
    run = ended_run(project, "quantize", {"model": whole}, title="Quantise to GGUF: First")
    return artifact(
        project,
        "gguf-model",
        {"model-q4_k_m.gguf": b"GGUF" + bytes(3000)},
        facts={"level": "q4_k_m"},
        run=run,
        role="model",
    )


def figure(value: float, spread: float = 0.02, n: int = 60) -> dict[str, float]:
    return {"value": value, "low": value - spread, "high": value + spread, "n": n}


def report_data(**changes: Any) -> dict[str, Any]:
    data = {
        "base": {
            "loss": figure(2.9),
            "perplexity": figure(18),
            "token_f1": figure(0.2),
            "general_loss": figure(1.7),
            "mmlu": figure(0.24, 0.08),
        },
        "tuned": {
            "loss": figure(2.32),
            "perplexity": figure(10),
            "token_f1": figure(0.3),
            "general_loss": figure(1.72),
            "mmlu": figure(0.25, 0.08),
        },
        "gain": {"loss": figure(0.58, 0.04), "token_f1": figure(0.1, 0.03), "general_loss": figure(-0.02, 0.005)},
        "pairs": 60,
        "general": {"questions": 60, "of": 281},
        "mmlu_informative": False,
        "settings": {"test_rows": 500},
        "versions": {"torch": "2.13.0"},
    }
    return {**data, **changes}


def samples(count: int = 30) -> str:
    return "".join(
        json.dumps(
            {
                "question": f"Question {n}?",
                "reference": "Right",
                "base_answer": "Base",
                "tuned_answer": "=Tuned",
                "base_loss": 3.0,
                "tuned_loss": 2.0 + n / 100,
                "base_f1": 0.1,
                "tuned_f1": n / count,
            }
        )
        + "\n"
        for n in range(count)
    )


def report(project: Project, base_model: Artifact, adapter_made: Artifact | None, data: Artifact, /, **changes: Any) -> Artifact:
    """A report's artifact, not yet taken in."""
    inputs = {"model": base_model, "dataset": data, **({"adapter": adapter_made} if adapter_made else {})}
    run = ended_run(project, "evaluate", inputs, title="Evaluate: First")
    files = {"report.json": json.dumps(report_data(**changes)), "samples.jsonl": samples()}
    return artifact(project, "report", files, run=run, role="report")
