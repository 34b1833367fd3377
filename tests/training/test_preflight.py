"""What is said before training starts."""

import json

import pytest

from projects.models import Project
from tests.catalogue import made
from training.preflight import Finding, check, estimate_tokens


def codes(project: Project, *, max_length: int = 1024, context: int = 0, **dataset: object) -> dict[str, str]:
    """Code → level of what is found."""
    _, findings = check(made.dataset(project, **dataset), max_length=max_length, context=context)  # type: ignore[arg-type]
    return {finding.code: finding.level for finding in findings}


def test_a_sound_dataset_has_no_findings(project: Project) -> None:
    assert codes(project) == {}


def test_a_single_pair_stops_the_training(project: Project) -> None:
    assert codes(project, train=1)["too_few_pairs"] == "stop"
    assert codes(project, train=0)["too_few_pairs"] == "stop"


def test_few_pairs_are_said(project: Project) -> None:
    assert codes(project, train=30) == {"few_pairs": "warn"}


@pytest.mark.parametrize("answer", ["", "  \n"])
def test_empty_answers_are_named_by_row(project: Project, answer: str) -> None:
    shape, findings = check(made.dataset(project, extra=[made.row(answer=answer)]), max_length=1024)
    assert [(one.code, one.rows) for one in findings] == [("empty_answer", ("train.jsonl, row 121",))]
    assert shape.train == 120


def test_an_answer_longer_than_the_context_is_said(project: Project) -> None:
    long = made.row(answer="word " * 600)
    assert codes(project, extra=[long], max_length=256) == {"answer_cut": "warn"}
    assert "answer_cut" in codes(project, extra=[long], max_length=4096, context=512)


def test_a_question_that_leaves_no_room_is_said(project: Project) -> None:
    assert codes(project, extra=[made.row(question="word " * 600)], max_length=256) == {"no_room": "warn"}


def test_only_empty_answers_stop_the_training(project: Project) -> None:
    found = codes(project, train=0, extra=[made.row(answer="")] * 20)
    assert found["too_few_pairs"] == "stop"
    assert found["empty_answer"] == "warn"


@pytest.mark.parametrize("line", ["not json", "[]", '{"messages": 3}', '{"messages": [{"role": "user"}]}'])
def test_rows_that_cannot_be_read_stop_the_training(project: Project, line: str) -> None:
    assert codes(project, extra=[line])["unreadable"] == "stop"


def test_a_rejected_answer_and_labels_of_a_row_change_nothing(project: Project) -> None:
    plain = made.row()
    worse = [{"role": "assistant", "content": "word " * 5000}]
    full = json.dumps({**json.loads(plain), "rejected": worse, "fork": 1, "topic": "x", "rehearsal": True})
    shapes = [check(made.dataset(project, extra=[one]), max_length=1024) for one in (plain, full)]
    assert shapes[0] == shapes[1] and shapes[0][1] == []


def test_missing_splits_are_said(project: Project) -> None:
    assert codes(project, validation=0, test=0) == {"no_validation": "warn", "no_test": "warn"}


def test_what_stops_comes_first(project: Project) -> None:
    _, findings = check(made.dataset(project, train=1, validation=0, extra=[made.row(answer="")]), max_length=1024)
    assert findings[0].level == "stop"


def test_a_rough_count_of_tokens_is_near_the_truth() -> None:
    text = made.ANSWER * 20
    assert 0.6 < estimate_tokens(text) / (len(text.split()) * 1.3) < 1.6


def test_rows_are_named_file_by_file() -> None:
    rows = ("train.jsonl, row 3", "train.jsonl, row 9", "test.jsonl, row 1")
    assert Finding("warn", "x", "", "", rows).where == "train.jsonl: rows 3, 9; test.jsonl: row 1"
