"""General data is what the base model itself answers to general questions."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import events, manifest
from engine.context import Context
from engine.exits import InputError
from engine.lib.jsonl import read_lines
from engine.spec import Spec
from engine.stages.make_rehearsal import QUESTIONS, Params, questions

OWN = ["What is the capital of France?", "What is 2 + 2?", "Name a colour.", "What is the capital of France?"]


def test_it_writes_pairs_of_the_models_own_answers(engine_run: Callable, base_model: Path) -> None:
    from engine.lib import models

    params = {"own_questions": "\n".join(OWN), "questions": 4, "max_new_tokens": 48}
    outcome = engine_run("make_rehearsal", params, {"model": base_model})
    record = manifest.verify(outcome.output("pairs"))
    rows = list(read_lines(outcome.output("pairs") / "pairs.jsonl", code="x", mend=""))
    facts = record.facts
    assert record.kind == "pairs" and facts["origin"] == "generated" and facts["general"] is True
    assert facts["pairs"] == len(rows) >= 1 and len(rows) + sum(facts["rejected"].values()) == 4
    assert all(row["tags"] == ["general"] and not row.get("sources") for row in rows)

    tokenizer, model = models.load_tokenizer(base_model), models.load_model(base_model)
    question, answer = (message["content"] for message in rows[0]["messages"])
    said = models.speak(model, tokenizer, question, max_new_tokens=48)
    assert said.split()[:3] == answer.split()[:3]


def test_answers_without_an_end_are_left_out(engine_run: Callable, base_model: Path) -> None:
    outcome = engine_run(
        "make_rehearsal", {"own_questions": "Tell me a long story.", "questions": 1, "max_new_tokens": 8}, {"model": base_model}, expect=20
    )
    (error,) = outcome.of("error")
    assert error["code"] == "no_pairs" and "answer without an end: 1" in error["message"]


def context(folder: Path, **inputs: Path) -> Context:
    folder.mkdir(exist_ok=True)
    return Context(folder, Spec(stage="make_rehearsal", inputs={k: str(v) for k, v in inputs.items()}), events.EventWriter(folder))


def test_the_studios_own_questions_are_many_and_none_twice() -> None:
    lines = QUESTIONS.read_text("utf-8").splitlines()
    assert len(lines) >= 200 and all(line.strip() for line in lines)
    assert len({" ".join(line.lower().split()) for line in lines}) == len(lines)


def test_ones_own_questions_come_first_then_the_files_then_the_studios(tmp_path: Path) -> None:
    table = tmp_path / "table"
    table.mkdir()
    (table / "table.csv").write_text("number,Prompt\n1,From the file?\n2,Mine?\n", "utf-8")
    manifest.write(table, "table-file")
    asked = questions(context(tmp_path / "run", prompts=table), Params(own_questions=" Mine? \n\nAnd this?"))
    assert asked[:3] == ["Mine?", "And this?", "From the file?"] and len(set(asked)) == len(asked) == 237
    every = questions(context(tmp_path / "run"), Params(questions=5000))
    assert every == QUESTIONS.read_text("utf-8").splitlines()
    assert len(questions(context(tmp_path / "run"), Params(questions=5000, exam_questions=True))) > len(every) + 200


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table"
    table.mkdir()
    (table / "table.jsonl").write_text(json.dumps({"number": 1}) + "\n", "utf-8")
    with pytest.raises(InputError) as raised:
        questions(context(tmp_path / "run", prompts=table), Params())
    assert raised.value.code == "no_questions" and "row 1" in raised.value.where
    shutil.rmtree(table)
