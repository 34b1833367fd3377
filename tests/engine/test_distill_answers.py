"""A teacher's answers in place of the dataset's own: same splits and ids, nonsense left out, a teacher that stalls given up."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import manifest
from engine.lib.taught_answers import Question, fault
from engine.spec import Spec
from tests.engine.chat_server import chat_server
from tests.engine.stage_running import Outcome, engine_start
from tests.engine.teaching import lines

QUICK = {"wait": 0.01, "seconds": 20, "parallel": 2}
TOPICS = ["gloves", "masks", "gowns", "beds", "sinks", "drains", "needles", "trays", "lamps"]


@pytest.fixture
def dataset(dataset_of: Callable[..., Path]) -> Path:
    def pairs(topics: list[str]) -> list[tuple[str, str]]:
        return [(f"Where are the {topic} kept?", f"The {topic} are in the cupboard.") for topic in topics]

    return dataset_of(train=pairs(TOPICS), validation=pairs(["soap"]), test=pairs(["dust"]))


def teacher(text: str, number: int) -> str:
    return f"<think>Let me see.</think>Look for it in room {len(text)}: that is where such things are."


def answers(outcome: Outcome, split: str = "train") -> dict[str, str]:
    return {row["id"]: row["messages"][-1]["content"] for row in lines(outcome.output("dataset") / f"{split}.jsonl")}


def test_the_answers_are_the_teachers_and_all_else_stays(engine_run: Callable[..., Outcome], dataset: Path) -> None:
    with chat_server(teacher) as server:
        params = {**QUICK, "instruction": "Answer in one sentence.", "writer": "Professor"}
        outcome = engine_run("distill_answers", params, {"dataset": dataset}, **server.environment)
    made = outcome.output("dataset")
    manifest.verify(made)
    for split in ("train", "validation"):
        before, after = lines(dataset / f"{split}.jsonl"), lines(made / f"{split}.jsonl")
        assert [row["id"] for row in before] == [row["id"] for row in after]
        assert [row["messages"][:-1] for row in before] == [row["messages"][:-1] for row in after]
        for row in after:
            question = row["messages"][0]["content"]
            assert row["messages"][-1] == {"role": "assistant", "content": teacher(question, 0).partition("</think>")[2]}
    assert (made / "test.jsonl").read_bytes() == (dataset / "test.jsonl").read_bytes()  # what a model is measured by
    assert len(server.asked) == 10
    facts = outcome.of("artifact")[0]["facts"]
    assert (facts["train"], facts["validation"], facts["answered_by"]) == (9, 1, "Professor")
    assert facts["answers_of"] == manifest.read(dataset).sha256 and not facts.get("partial")
    assert json.loads((made / "card.json").read_text())["counts"] == {"train": 9, "validation": 1, "test": 1}
    assert not outcome.of("warning") and "a key" not in (outcome.folder / "events.jsonl").read_text()


def test_a_student_can_be_fine_tuned_on_them(engine_run: Callable[..., Outcome], dataset: Path, tiny_student: Path) -> None:
    with chat_server(teacher) as server:
        taught = engine_run("distill_answers", QUICK, {"dataset": dataset}, **server.environment).output("dataset")
    params = {"max_steps": 2, "batch_size": 2, "general_rows": 0}
    outcome = engine_run("sft", params, {"model": tiny_student, "dataset": taught})
    assert manifest.read(outcome.output("adapter")).facts["dataset"] == manifest.read(taught).sha256


def test_a_teacher_that_stalls_is_given_up_counted_and_said(engine_run: Callable[..., Outcome], dataset: Path) -> None:
    def talk(text: str, number: int) -> str:
        if "needles" in text:
            time.sleep(12)
        return teacher(text, number)

    with chat_server(talk) as server:
        params = {**QUICK, "seconds": 4, "tries": 2}
        outcome = engine_run("distill_answers", params, {"dataset": dataset}, **server.environment)
    facts = outcome.of("artifact")[0]["facts"]
    assert facts["failed"] == {"timeout": 1} and facts["tried_again"] >= 1 and facts["partial"]
    assert "train-6" not in answers(outcome) and len(answers(outcome)) == 8
    (warning,) = outcome.of("warning")
    assert warning["code"] == "fewer" and "9 of 10 questions" in warning["message"] and "timeout: 1" in warning["message"]


def test_a_teacher_that_never_answers_ends_the_run_with_what_to_do(engine_run: Callable[..., Outcome], dataset: Path) -> None:
    def talk(text: str, number: int) -> str:
        time.sleep(2)
        return ""

    with chat_server(talk) as server:
        outcome = engine_run(
            "distill_answers", {**QUICK, "seconds": 0.3, "tries": 1}, {"dataset": dataset}, expect=20, **server.environment
        )
    (error,) = outcome.of("error")
    assert error["code"] == "endpoint_timeout" and error["mend"] and not outcome.of("artifact")


def cut_off(text: str, number: int) -> tuple[int, str]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "It is kept in the"}, "finish_reason": "length"}
    return 200, json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "writer-1", "choices": [choice]})


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("I'm sorry, but I cannot help with that.", "refused"),
        ("…", "empty"),
        ("The gloves are kept in the blue cupboard. " * 6, "repeats itself"),
        (cut_off, "cut off"),
    ],
)
def test_nonsense_is_left_out_and_counted(engine_run: Callable[..., Outcome], dataset: Path, said: Any, reason: str) -> None:
    def talk(text: str, number: int) -> Any:
        if "lamps" not in text:
            return teacher(text, number)
        return said(text, number) if callable(said) else said

    with chat_server(talk) as server:
        outcome = engine_run("distill_answers", QUICK, {"dataset": dataset}, **server.environment)
    assert outcome.of("artifact")[0]["facts"]["rejected"] == {reason: 1}
    assert "train-8" not in answers(outcome) and len(answers(outcome)) == 8


def test_the_budget_holds(engine_run: Callable[..., Outcome], dataset: Path) -> None:
    with chat_server(teacher) as server:
        outcome = engine_run("distill_answers", {**QUICK, "max_calls": 4}, {"dataset": dataset}, **server.environment)
    assert len(server.asked) == 4 == outcome.of("artifact")[0]["facts"]["calls"] == len(answers(outcome))
    assert "not asked: 6" in outcome.of("warning")[0]["message"]


def test_stopping_keeps_what_was_answered(dataset: Path, tmp_path: Path) -> None:
    with chat_server(teacher, delay=0.5) as server:
        folder = tmp_path / "run"
        spec = Spec(stage="distill_answers", params={**QUICK, "parallel": 1}, inputs={"dataset": str(dataset)})
        process = engine_start(folder, spec, **server.environment)
        outcome = Outcome(0, folder)
        while process.poll() is None and not ((folder / "events.jsonl").exists() and outcome.of("sample")):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 10, outcome.log
    assert 0 < len(answers(outcome)) < 9 and outcome.of("artifact")[0]["facts"]["partial"]


def test_without_a_teacher_it_says_so(engine_run: Callable[..., Outcome], dataset: Path) -> None:
    outcome = engine_run("distill_answers", QUICK, {"dataset": dataset}, expect=20, STUDIO_CHAT_URL="")
    assert outcome.of("error")[0]["code"] == "endpoint"


def test_a_model_on_this_machine_can_teach(engine_run: Callable[..., Outcome], dataset: Path, base_model: Path) -> None:
    params = {"answer_tokens": 50, "batch_size": 4, "instruction": "Answer briefly."}
    outcome = engine_run("distill_answers", params, {"dataset": dataset, "teacher": base_model}, expect=None)
    facts = (outcome.of("artifact") or [{"facts": {}}])[0]["facts"]
    rejected = sum(outcome.metric("rejected").values())
    if outcome.code == 0:  # so small a teacher may say nothing that is worth keeping
        assert facts["answered_by"] == "SmolLM2-135M-Instruct" and len(answers(outcome)) == facts["train"] > 0
        own = {row["id"]: row["messages"][-1]["content"] for row in lines(dataset / "train.jsonl")}
        assert all(text and text != own[id] for id, text in answers(outcome).items())
    else:
        assert outcome.code == 20 and outcome.of("error")[0]["code"] == "no_answers" and rejected
    assert outcome.of("progress")[-1]["done"] == 10


def test_an_instruction_stands_before_everything_and_only_once() -> None:
    turns = [{"role": "system", "content": "You are a nurse."}, {"role": "user", "content": "Where?"}]
    question = Question("train", {"messages": [*turns, {"role": "assistant", "content": "Here."}]}, 2)
    told = question.asked("Be brief.")
    assert told == [{"role": "system", "content": "Be brief.\n\nYou are a nurse."}, turns[1]]
    assert question.asked("") == turns
    question.answer = "There."
    assert question.answered()["messages"] == [*turns, {"role": "assistant", "content": "There."}]


def test_not_knowing_is_an_answer_where_that_is_asked_for() -> None:
    said = "I cannot answer this: the documents do not say."
    assert fault(said, cut=False, may_refuse=False) == "refused"
    assert fault(said, cut=False, may_refuse=True) == ""
    assert fault("Yes. " * 3 + "It is a list of lists, and lists of lists are lists.", cut=False, may_refuse=False) == ""
