"""var/demo/report.json, and the same in words."""

import json
from typing import Any

from django.db.models import Max, Min

from curation.models import DatasetVersion, Pair, PairStatus
from dslm_studio.demo.steps import run_of
from playground.models import Message
from projects.models import Project
from retrieval.models import Chunk, Document
from runs.artifacts import artifact_path
from runs.models import Run, RunEvent

# What a team with a stable reference, no machine-learning engineers and a laptop answers in the wizard
ANSWERS: dict[str, str | list[str]] = {
    "change": "sometimes",
    "citations": "yes",
    "behaviour": "format",
    "learn_from": "some",
    "language": "jargon",
    "hardware": "cpu",
    "limits": [],
}


def chunk_count(project: Project) -> int:
    return Chunk.objects.filter(version__document__project=project).count()


def run_result(run: Run) -> str:
    """One run's result in a few words."""
    if run.stage == "sft":
        return f"loss {run.summary['loss_first']:.2f} → {run.summary['loss_last']:.2f}, {run.summary['tokens_per_second']:.0f} tokens/s"
    if run.stage == "quantize" and (made := run.output("model")):
        return f"{made.bytes / 1e6:.0f} MB"
    if run.stage == "evaluate":
        report = evaluation_of(run)
        return f"loss {report['base']['loss']['value']:.2f} → {report['tuned']['loss']['value']:.2f} on {report['pairs']} pairs"
    return ""


def seconds_of(run: Run) -> float:
    """How long ``run`` worked, its earlier attempts and the runs whose place it took included."""
    line = [run]
    while before := line[-1].rerun_of:
        line.append(before)
    said = RunEvent.objects.filter(run__in=line).exclude(type="status").exclude(run=run, attempt=run.attempt)
    attempts = said.order_by().values("run", "attempt").annotate(seconds=Max("ts") - Min("ts"))
    return (run.seconds or 0.0) + sum(attempt["seconds"] for attempt in attempts)


def evaluation_of(run: Run) -> dict[str, Any]:
    """The report.json that the evaluation wrote."""
    artifact = run.output("report")
    assert artifact is not None
    return json.loads((artifact_path(artifact) / "report.json").read_text("utf-8"))


def report(
    project: Project,
    dataset: DatasetVersion,
    retrieval: dict[str, Any],
    answer: Message,
    citations: dict[str, Any],
) -> dict[str, Any]:
    """Everything the demo measured, from the rows and files that its steps left."""
    sft, evaluated = run_of(project, "sft"), evaluation_of(run_of(project, "evaluate"))
    gguf = run_of(project, "quantize").output("model")
    assert gguf is not None
    [gguf_file] = artifact_path(gguf).glob("*.gguf")
    figures = ("loss", "perplexity", "token_f1", "rouge_l", "general_loss", "mmlu")
    sides = {side: {name: evaluated[side][name]["value"] for name in figures} for side in ("base", "tuned")}
    gain = {name: [evaluated["gain"][name]["low"], evaluated["gain"][name]["high"]] for name in ("loss", "token_f1")}
    return {
        "documents": Document.objects.filter(project=project).count(),
        "chunks": chunk_count(project),
        "pairs": Pair.objects.filter(project=project, status=PairStatus.APPROVED).count(),
        "dataset": {**dataset.counts, "sha256": dataset.sha256},
        "train": {
            "tokens": sft.summary["answer_tokens"],
            **{name: sft.summary[name] for name in ("steps", "tokens_per_second", "loss_first", "loss_last")},
        },
        "evaluation": {**sides, "gain": gain, "pairs": evaluated["pairs"], "mmlu_informative": evaluated["mmlu_informative"]},
        "retrieval": retrieval,
        "gguf": {"path": str(gguf_file), "bytes": gguf_file.stat().st_size, "sha256": _file_sha256(gguf_file.parent, gguf_file.name)},
        "chat": {
            "question": answer.conversation.title,
            "answer": answer.text,
            "citations": [{"document": one.name, "page": one.page, "start": one.start, "end": one.end} for one in answer.cited],
            **citations,
        },
    }


def _file_sha256(folder: Any, name: str) -> str:
    from engine.manifest import read

    return read(folder).files[name].sha256


def in_words(made: dict[str, Any]) -> str:
    """The report as a person would tell it."""
    evaluation, chat, retrieval = made["evaluation"], made["chat"], made["retrieval"]
    base, tuned, gain = evaluation["base"], evaluation["tuned"], evaluation["gain"]
    f1 = gain["token_f1"]
    found, by_words = f"{retrieval['recall_at_5']:.0%}", f"{retrieval['keyword_only_recall_at_5']:.0%}"
    memory = f" and at most {made['memory']['peak_resident_bytes'] / 1e9:.1f} GB of memory" if "memory" in made else ""
    strangers = f"{chat['off_topic_cited']} of {chat['off_topic_questions']} off-topic questions got a citation"
    lines = [
        "",
        f"  On {evaluation['pairs']} pairs from documents it never saw, the tuned model against its base:",
        f"    loss      {base['loss']:.3f} → {tuned['loss']:.3f}   gain {gain['loss'][0]:.3f} to {gain['loss'][1]:.3f} (95%)",
        f"    token F1  {base['token_f1']:.3f} → {tuned['token_f1']:.3f}   gain {f1[0]:.3f} to {f1[1]:.3f} (95%)",
        f"    general   {base['general_loss']:.3f} → {tuned['general_loss']:.3f}   loss per token on general text",
        f"  Search finds the passages of {found} of {retrieval['queries']} questions among five ({by_words} by keywords alone).",
        f"  {chat['cited_right']:.0%} of {chat['citations_given']} cited spans hold the answer; {strangers}.",
        f"  Took {made['seconds']['total'] / 60:.1f} minutes{memory}.",
    ]
    return "\n".join(lines)
