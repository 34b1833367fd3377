"""What a row says of a document that is being read."""

import pytest

from retrieval.models import DocumentVersion
from retrieval.selectors import Step, language_word, step_of
from runs.models import Run, Status


@pytest.mark.parametrize(
    ("phase", "done", "total", "position", "step"),
    [
        ("", 0, 0, 0, Step("Starting")),
        ("Reading documents", 3, 9, 2, Step("Read")),
        ("Reading documents", 3, 9, 3, Step("Reading")),
        ("Reading documents", 3, 9, 4, Step("Waiting its turn")),
        ("Cutting into passages", 3, 9, 4, Step("Cutting into passages")),
        ("Embedding passages", 0, 0, 0, Step("Embedding")),
        ("Embedding passages", 250, 1000, 0, Step("Embedding", 25)),
        ("Embedding passages", 1000, 1000, 0, Step("Storing passages")),
        ("Something new", 1, 2, 0, Step("Something new")),
    ],
)
def test_it_says_where_a_document_stands(phase: str, done: int, total: int, position: int, step: Step) -> None:
    run = Run(status=Status.RUNNING, phase=phase, progress={"done": done, "total": total} if total else {})
    assert step_of(DocumentVersion(run=run, position=position)) == step


def test_a_queued_run_waits_for_a_worker() -> None:
    assert step_of(DocumentVersion(run=Run(status=Status.QUEUED))).words == "Waiting for a worker"


@pytest.mark.parametrize(
    ("code", "word"), [("eng", "English"), ("spa", "Spanish"), ("por", "Portuguese"), ("tlh", "tlh"), ("", "Not recognised")]
)
def test_a_language_is_named_by_the_code_that_reading_writes(code: str, word: str) -> None:
    assert language_word(code) == word
