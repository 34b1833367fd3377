"""The demo's own figures: how well passages are found, and how rightly answers cite. All measured in the run that reports them."""

import json
import random
from importlib.resources import files
from typing import Any

from curation.models import DatasetVersion
from dslm_studio.demo.display import Step
from dslm_studio.demo.steps import SEED, DemoError, ask
from projects.models import Project
from retrieval.measuring import measure
from retrieval.models import Document
from runs.artifacts import artifact_path
from runs.models import Artifact

HELD_OUT_QUESTIONS = 50
Question = tuple[str, str, int, int]  # question, document id, start and end of the evidence in its text


def test_questions(dataset: DatasetVersion) -> list[Question]:
    """The questions of the test split, each with the span its answer was cut from."""
    questions = []
    with open(artifact_path(dataset.artifact) / "test.jsonl", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            source = row["sources"][0]
            question = next(message["content"] for message in row["messages"] if message["role"] == "user")
            questions.append((question, source["document"], source["start"], source["end"]))
    return questions


def paraphrases(project: Project) -> list[Question]:
    """The questions written by hand. Raises ``DemoError`` for evidence that does not stand in its document exactly once."""
    documents = {document.name: document for document in Document.objects.filter(project=project)}
    questions = []
    for row in _lines("paraphrases.jsonl"):
        document = documents.get(row["topic"])
        text = document.current.text() if document and document.current else ""
        if document is None or text.count(row["evidence"]) != 1:
            raise DemoError(f"The evidence of “{row['question']}” does not stand once in {row['topic']}.")
        start = text.index(row["evidence"])
        questions.append((row["question"], str(document.pk), start, start + len(row["evidence"])))
    return questions


def off_topic() -> list[str]:
    return [row["question"] for row in _lines("off_topic.jsonl")]


def _lines(name: str) -> list[dict[str, Any]]:
    text = files("dslm_studio.demo").joinpath(name).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def measure_retrieval(project: Project, dataset: DatasetVersion) -> dict[str, Any]:
    """Recall and mean reciprocal rank on the test questions and the paraphrases together, and on the paraphrases alone."""
    own, written = test_questions(dataset), paraphrases(project)
    both = measure(project, own + written)
    return {**_figures(both), "paraphrases": _figures(measure(project, written))}


def _figures(found: Any) -> dict[str, Any]:
    return {
        "queries": found.queries,
        "recall_at_5": found.recall_at_5,
        "mrr": found.mrr,
        "keyword_only_recall_at_5": found.keyword_only_recall_at_5,
    }


def measure_citations(project: Project, dataset: DatasetVersion, model: Artifact, step: Step) -> dict[str, Any]:
    """Ask held-out and off-topic questions in chat.

    ``cited_right``: the share of cited spans that contain the answer, word for word but for white space; ``cited_source``: the share that
    contain it at the very place it was cut from (the reference says some things twice); ``off_topic_cited``: how many off-topic questions
    got a citation.
    """
    drawn = test_questions(dataset)
    random.Random(SEED).shuffle(drawn)
    drawn, strangers = drawn[:HELD_OUT_QUESTIONS], off_topic()
    texts = {str(document.pk): document.current.text() for document in Document.objects.filter(project=project) if document.current}
    total, cited, right, at_source, answered, off = len(drawn) + len(strangers), 0, 0, 0, 0, 0
    for number, (question, document, start, end) in enumerate(drawn):
        step.say("held-out questions", number, total)
        citations = ask(project, model, question).citations
        evidence = " ".join(texts[document][start:end].split())
        cited += len(citations)
        answered += bool(citations)
        right += sum(1 for one in citations if evidence in " ".join(texts[one.document][one.start : one.end].split()))
        at_source += sum(1 for one in citations if one.document == document and one.start <= start and one.end >= end)
    for number, question in enumerate(strangers, start=len(drawn)):
        step.say("off-topic questions", number, total)
        off += bool(ask(project, model, question).citations)
    return {
        "held_out_questions": len(drawn),
        "held_out_with_citation": answered,
        "citations_given": cited,
        "cited_right": round(right / cited, 4) if cited else 0.0,
        "cited_source": round(at_source / cited, 4) if cited else 0.0,
        "off_topic_questions": len(strangers),
        "off_topic_cited": off,
    }
