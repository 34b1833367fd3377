"""What ``./studio demo`` promises: every figure of its report, and that it all hangs together."""

import hashlib
import math
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.e2e.running import RunningStudio

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.demo]

STEPS = ("plan", "documents", "pairs", "dataset", "base_model", "sft", "merge", "quantize", "evaluate", "retrieval", "chat", "total")
FIGURES = dict.fromkeys(("loss", "perplexity", "token_f1", "rouge_l", "general_loss", "mmlu"), float)
SHAPE: dict[str, Any] = {
    "seconds": dict.fromkeys(STEPS, float),
    "documents": int,
    "chunks": int,
    "pairs": int,
    "dataset": {"train": int, "validation": int, "test": int, "sha256": str},
    "train": {"steps": int, "tokens": int, "tokens_per_second": float, "loss_first": float, "loss_last": float},
    "evaluation": {"base": FIGURES, "tuned": FIGURES, "gain": {"loss": [float], "token_f1": [float]}, "pairs": int},
    "retrieval": {"queries": int, "recall_at_5": float, "mrr": float, "keyword_only_recall_at_5": float},
    "gguf": {"path": str, "bytes": int, "sha256": str},
    "memory": {"peak_resident_bytes": int},
    "chat": {"question": str, "answer": str, "citations": list, "cited_right": float, "off_topic_cited": int},
}
SHA256 = re.compile(r"[0-9a-f]{64}")


@pytest.fixture(scope="module")
def report(studio: RunningStudio) -> dict[str, Any]:
    return studio.report


@pytest.fixture(scope="module")
def found(studio: RunningStudio) -> dict[str, Any]:
    """What the demo's database and files say, read as another process would."""
    return dict(studio.django(LOOK))


LOOK = """
from curation.models import DatasetVersion, Pair
from engine import manifest
from playground.models import Message
from projects.models import AuditEvent, Project
from retrieval.citations import citation_url
from retrieval.models import Chunk, Document, DocumentVersion
from runs.artifacts import artifact_path
from runs.models import Artifact, Run
from runs.selectors import ancestors

project = Project.objects.get(name="Python language reference")
dataset = DatasetVersion.objects.get(project=project, number=1)
folder = artifact_path(dataset.artifact)
manifest.verify(folder)
splits = {name: [json.loads(line) for line in open(folder / f"{name}.jsonl", encoding="utf-8")] for name in ("train", "validation", "test")}
texts = {str(version.pk): version.text() for version in DocumentVersion.objects.filter(document__project=project)}
names = dict(Document.objects.filter(project=project).values_list("name", "pk"))
pairs = list(Pair.objects.filter(project=project))

def evidence(pair):
    return [[source["evidence"], texts[source["version"]][source["start"]:source["end"]]] for source in pair.sources]

gguf = Run.objects.get(project=project, stage="quantize").output("model")
manifest.verify(artifact_path(gguf))
line = ancestors(gguf)
used = next(item.artifact for item in line if item.artifact.kind == "dataset")
row = json.loads(open(artifact_path(used) / "train.jsonl", encoding="utf-8").readline())
source = row["sources"][0]
cited = Message.objects.filter(conversation__project=project, role="assistant").order_by("pk").first().cited
answer = {
    "slug": project.slug,
    "documents": len(names),
    "chunks": Chunk.objects.filter(version__document__project=project).count(),
    "media": sorted({name.rpartition(".")[2] for name in names}),
    "approved": sum(pair.status == "APPROVED" for pair in pairs),
    "decided_by_people": sum(pair.decided_by_id is not None for pair in pairs),
    "rules": sorted({pair.decided_by_rule for pair in pairs if pair.status == "APPROVED"}),
    "approvals": [
        [event.action, event.target, event.after]
        for event in AuditEvent.objects.filter(project=project, action__startswith="pairs.approve")
    ],
    "questions": [pair.question for pair in pairs],
    "shapes": [pair.shape for pair in pairs],
    "evidence": [both for pair in pairs for both in evidence(pair)],
    "without_source": sum(not pair.sources for pair in pairs),
    "dataset": {
        "counts": dataset.counts,
        "sha256": dataset.sha256,
        "artifact": str(dataset.artifact_id),
        "of_files": manifest.read(folder).sha256,
    },
    "documents_of": {
        name: sorted({source["document"] for row in rows for source in row["sources"]}) for name, rows in splits.items()
    },
    "rows_of": {name: len(rows) for name, rows in splits.items()},
    "runs": {run.stage: [run.status, run.attempt] for run in Run.objects.filter(project=project)},
    "lineage": [[item.artifact.kind, str(item.artifact.pk), item.depth] for item in line],
    "trained_on": {
        "url": citation_url(project, source["document"], source["start"], source["end"], source["version"]),
        "text": texts[source["version"]][source["start"]:source["end"]],
    },
    "cited": [
        {
            "document": one.name, "page": one.page, "start": one.start, "end": one.end,
            "text": one.text, "stands": texts[one.version][one.start:one.end],
        }
        for one in cited
    ],
}
"""


def misfits(value: Any, shape: Any, at: str = "report") -> list[str]:
    """Where ``value`` has not the ``shape``: what is missing, of the wrong kind, or no number."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{at} is no object"]
        gone = [f"{at}.{key} is missing" for key in shape if key not in value]
        return gone + [line for key, inner in shape.items() if key in value for line in misfits(value[key], inner, f"{at}.{key}")]
    if isinstance(shape, list):
        if not isinstance(value, list) or len(value) != 2:
            return [f"{at} is no interval"]
        return [line for one in value for line in misfits(one, shape[0], at)] + ([f"{at} is upside down"] if value[0] > value[1] else [])
    wanted = (int, float) if shape is float else shape
    if not isinstance(value, wanted) or isinstance(value, bool):
        return [f"{at} is {value!r}"]
    return [f"{at} is {value!r}"] if isinstance(value, float) and not math.isfinite(value) else []


def test_the_report_has_every_key_in_the_agreed_shape(report: dict[str, Any]) -> None:
    assert misfits(report, SHAPE) == []
    assert all(seconds >= 0 for seconds in report["seconds"].values())


def test_the_documents_were_read_by_several_parsers(report: dict[str, Any], found: dict[str, Any]) -> None:
    assert report["documents"] == found["documents"]
    assert report["chunks"] == found["chunks"]
    assert found["media"] == ["md", "pdf"]


def test_there_are_three_hundred_pairs_and_every_answer_stands_in_its_document(report: dict[str, Any], found: dict[str, Any]) -> None:
    assert report["pairs"] == found["approved"]
    assert report["pairs"] >= 300
    assert found["without_source"] == 0
    assert [both for both in found["evidence"] if both[0] != both[1]] == []


def test_no_question_is_asked_twice_and_no_shape_prevails(found: dict[str, Any]) -> None:
    questions = [" ".join(question.lower().split()) for question in found["questions"]]
    assert len(set(questions)) == len(questions)
    shares = {shape: found["shapes"].count(shape) / len(found["shapes"]) for shape in set(found["shapes"])}
    assert len(shares) >= 6, shares
    assert max(shares.values()) <= 0.3, shares


def test_the_audit_log_names_the_rule_that_approved_and_no_person(report: dict[str, Any], found: dict[str, Any]) -> None:
    assert found["decided_by_people"] == 0
    [rule] = found["rules"]
    assert rule
    approvals = [
        (target, after) for action, target, after in found["approvals"] if action == "pairs.approve_by_rule" and after.get("count")
    ]
    assert [(target, after["count"]) for target, after in approvals] == [("approved by rule", report["pairs"])]


def test_the_dataset_version_is_hashed_and_split_by_document(report: dict[str, Any], found: dict[str, Any]) -> None:
    dataset = report["dataset"]
    assert SHA256.fullmatch(dataset["sha256"])
    assert dataset["sha256"] == found["dataset"]["sha256"] == found["dataset"]["of_files"]
    counts = {name: dataset[name] for name in ("train", "validation", "test")}
    assert counts == found["rows_of"]
    assert sum(counts.values()) == report["pairs"]
    train, validation, test = (set(found["documents_of"][name]) for name in ("train", "validation", "test"))
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_every_run_succeeded(found: dict[str, Any]) -> None:
    assert {"ingest", "extract_pairs", "sft", "merge", "quantize", "evaluate"} <= set(found["runs"])
    assert {stage: state for stage, (state, _) in found["runs"].items() if state != "SUCCEEDED"} == {}


def test_the_whole_studio_stays_under_six_gibibytes(report: dict[str, Any]) -> None:
    assert 2**30 < report["memory"]["peak_resident_bytes"] < 6 * 2**30


def test_training_brought_the_loss_down(report: dict[str, Any]) -> None:
    train = report["train"]
    assert train["loss_last"] < train["loss_first"]
    assert train["steps"] > 0
    assert train["tokens"] > 0
    assert train["tokens_per_second"] > 0


def test_the_tuned_model_is_better_beyond_chance_on_documents_it_never_saw(report: dict[str, Any], found: dict[str, Any]) -> None:
    evaluation = report["evaluation"]
    assert evaluation["pairs"] >= 50
    assert evaluation["pairs"] <= found["rows_of"]["test"]
    assert evaluation["gain"]["loss"][0] > 0
    assert evaluation["gain"]["token_f1"][0] > 0
    assert evaluation["tuned"]["loss"] <= 0.9 * evaluation["base"]["loss"]
    for side in ("base", "tuned"):
        assert math.isclose(evaluation[side]["perplexity"], math.exp(evaluation[side]["loss"]), rel_tol=0.01)


def test_the_search_was_measured_on_a_hundred_questions(report: dict[str, Any]) -> None:
    retrieval = report["retrieval"]
    assert retrieval["queries"] >= 100
    assert retrieval["paraphrases"]["queries"] >= 50
    for figure in ("recall_at_5", "mrr", "keyword_only_recall_at_5"):
        assert 0 < retrieval[figure] <= 1
    assert retrieval["recall_at_5"] >= retrieval["keyword_only_recall_at_5"]


def test_the_quantised_file_lies_where_the_report_says_with_that_hash(report: dict[str, Any]) -> None:
    path = Path(report["gguf"]["path"])
    assert path.read_bytes()[:4] == b"GGUF"
    assert path.stat().st_size == report["gguf"]["bytes"]
    with open(path, "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == report["gguf"]["sha256"]


def test_the_chat_answer_cites_spans_that_exist(report: dict[str, Any], found: dict[str, Any]) -> None:
    chat = report["chat"]
    assert chat["answer"].strip()
    assert chat["citations"]
    assert chat["citations"] == [{key: one[key] for key in ("document", "page", "start", "end")} for one in found["cited"]]
    for one in found["cited"]:
        assert one["stands"].strip()
        assert one["text"] == one["stands"]


def test_citations_are_right_and_off_topic_questions_get_none(report: dict[str, Any]) -> None:
    chat = report["chat"]
    assert chat["held_out_questions"] >= 50
    assert chat["off_topic_questions"] >= 10
    assert chat["held_out_with_citation"] > 0
    assert chat["cited_right"] >= 0.7
    assert chat["off_topic_cited"] == 0


def test_one_query_leads_from_the_small_file_to_the_page_behind_a_training_pair(found: dict[str, Any], window: BrowserContext) -> None:
    kinds = {kind for kind, _, _ in found["lineage"]}
    assert {"gguf-model", "hf-model", "adapter", "dataset"} <= kinds
    assert found["dataset"]["artifact"] in {pk for _, pk, _ in found["lineage"]}
    page = window.new_page()
    page.goto(found["trained_on"]["url"])
    marked = " ".join("".join(page.locator(".reader mark").all_inner_texts()).split())
    assert marked == " ".join(found["trained_on"]["text"].split())
    expect(page.locator("#passage")).to_be_in_viewport()
    page.close()


def test_a_second_start_on_the_same_home_says_in_seconds_where_it_runs(studio: RunningStudio) -> None:
    began = time.monotonic()
    second = studio.launcher("demo")
    seconds = time.monotonic() - began
    assert studio.url in second.stdout
    assert "already runs" in second.stdout
    assert seconds < 30


def test_status_lists_every_process(studio: RunningStudio) -> None:
    said = studio.launcher("status")
    assert said.returncode == 0, said.stdout
    for name in ("launcher", "redis", "inference", "web", "worker-default", "worker-gpu", "scheduler"):
        assert re.search(rf"{name}\s+runs", said.stdout), said.stdout
