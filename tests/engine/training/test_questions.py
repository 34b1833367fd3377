"""What a model is asked while it learns from rewards: the questions of the dataset, as far as they can be used."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import events
from engine.context import Context
from engine.exits import InputError
from engine.lib import models
from engine.lib.training import questions
from engine.lib.training.rewarded import RewardedParams
from engine.spec import Spec
from tests.engine.preference_kit import preference_rows, write_dataset
from tests.engine.stage_running import Outcome


def read(folder: Path, base: Path, rows: list[dict[str, Any]], **settings: Any) -> tuple[Any, Outcome]:
    dataset = write_dataset(folder / "dataset", train=rows, validation=preference_rows(3, skip=20))
    spec = Spec(stage="grpo", inputs={"model": str(base), "dataset": str(dataset)})
    context = Context(folder, spec, events.EventWriter(folder))
    return questions.read_questions(context, RewardedParams(**settings), models.load_tokenizer(base)), Outcome(0, folder)


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": "assistant" if number % 2 else "user", "content": text} for number, text in enumerate(texts)]


def test_the_last_answer_is_what_is_asked_for(tiny_model: Path, tmp_path: Path) -> None:
    rows = [*preference_rows(8), {"id": "talk", "messages": turns("One?", "1.", "And two?", "2.")}]
    found, outcome = read(tmp_path, tiny_model, rows, eval_rows=2)
    assert (found.train[-1]["prompt"], found.train[-1]["reference"]) == (turns("One?", "1.", "And two?"), "2.")
    assert (len(found.train), len(found.validation)) == (9, 2) and not outcome.of("warning")
    tokenizer = models.load_tokenizer(tiny_model)
    asked = [len(tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False)) for row in found.train]
    assert [len(row["question_ids"]) for row in found.train] == asked
    assert len(found.longest.ids) == max(asked) + RewardedParams().max_new_tokens


def test_rows_that_cannot_be_asked_are_named_and_general_data_is_passed_over(tiny_model: Path, tmp_path: Path) -> None:
    rows = [
        *preference_rows(8),
        {"id": "a", "messages": turns("A question only?")},
        {"id": "b", "messages": [{"role": "assistant", "content": "An answer only."}]},
        {"id": "c", "messages": turns("Empty?", " ")},
        {"id": "d", "messages": turns("word " * 200, "Long.")},
        {"id": "e", "messages": turns("General?", "Yes."), "rehearsal": True},
    ]
    found, outcome = read(tmp_path, tiny_model, rows, max_length=160, max_new_tokens=16)
    assert len(found.train) == 8
    assert {warning["code"]: warning["where"] for warning in outcome.of("warning")} == {
        "no_answer": "train.jsonl, row 9", "no_question": "train.jsonl, row 10", "empty_answer": "train.jsonl, row 11",
        "no_room": "train.jsonl, row 12",
    }  # fmt: skip


def test_too_few_questions_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        read(tmp_path, tiny_model, preference_rows(7))
    assert raised.value.code == "too_few_pairs"


def test_questions_that_do_not_fill_a_step_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="16 questions at once, and only 12 can be used") as raised:
        read(tmp_path / "few", tiny_model, preference_rows(12), batch_size=16)
    assert (raised.value.code, raised.value.where) == ("too_few_questions", "batch_size")
    assert len(read(tmp_path / "enough", tiny_model, preference_rows(12), batch_size=12)[0].train) == 12


def test_a_template_that_refuses_a_conversation_is_said_with_the_row() -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("roles must alternate")

    from engine.lib.chat_rows import Row

    with pytest.raises(InputError, match="roles must alternate") as raised:
        questions._tokens(Row("a", turns("Why?"), "train", 3), SimpleNamespace(apply_chat_template=refuse))
    assert raised.value.where == "train.jsonl, row 3"
