"""Preference pairs as they are read: what is compared with what, which rows are left out and named, and what cannot be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine import events
from engine.context import Context
from engine.exits import InputError
from engine.lib import models
from engine.lib.training import preferences
from engine.lib.training.settings import LoopParams
from engine.spec import Spec
from tests.engine import preference_kit
from tests.engine.stage_running import Outcome

ASK = {"role": "user", "content": "What is a list?"}
GOOD = {"role": "assistant", "content": "A mutable sequence."}
BAD = {"role": "assistant", "content": "No idea."}


def row(messages: list[dict[str, str]], rejected: list[dict[str, str]], fork: int) -> dict[str, Any]:
    return {"id": "x", "messages": messages, "rejected": rejected, "fork": fork}


def read(tmp_path: Path, tiny_model: Path, rows: list[dict[str, Any]], **settings: Any) -> tuple[preferences.Read, dict[str, str]]:
    folder = preference_kit.write_dataset(tmp_path / "dataset", train=rows)
    context = Context(tmp_path, Spec(stage="dpo", inputs={"dataset": str(folder)}), events.EventWriter(tmp_path))
    found = preferences.read_pairs(context, LoopParams(**settings), models.load_tokenizer(tiny_model))
    return found, {warning["code"]: warning["where"] for warning in Outcome(0, tmp_path).of("warning")}


def test_the_two_answers_part_where_the_fork_is(tmp_path: Path, tiny_model: Path) -> None:
    follow_up = [ASK, GOOD, {"role": "user", "content": "And a tuple?"}, {"role": "assistant", "content": "The same, but fixed."}]
    found, warnings = read(tmp_path, tiny_model, [row(follow_up, [BAD], 3)] * 8)
    assert found.train[0] == {"prompt": follow_up[:3], "chosen": follow_up[3:], "rejected": [BAD]}
    assert set(warnings) == {"no_validation"}


def test_rows_that_can_teach_nothing_are_left_out_and_named(tmp_path: Path, tiny_model: Path) -> None:
    odd = [
        row([ASK, GOOD], [GOOD], 1),
        row([ASK, GOOD], [BAD | {"content": " "}], 1),
        row([ASK, GOOD], [ASK], 1),
        row([GOOD], [BAD], 0),
        row([ASK | {"content": "why " * 200}, GOOD], [BAD], 1),
        row([ASK, GOOD | {"content": "word " * 200}], [BAD], 1),
    ]
    found, warnings = read(tmp_path, tiny_model, [row([ASK, GOOD], [BAD], 1)] * 8 + odd, max_length=128)
    assert len(found.train) == 9
    assert warnings == {
        "same_answers": "train.jsonl, row 9", "empty_answer": "train.jsonl, row 10", "no_answer": "train.jsonl, row 11",
        "no_question": "train.jsonl, row 12", "no_room": "train.jsonl, row 13", "answer_cut": "train.jsonl, row 14",
        "no_validation": "validation.jsonl",
    }  # fmt: skip
    assert len(found.longest.ids) > 128


def test_pairs_without_a_worse_answer_are_counted_and_not_compared(tmp_path: Path, tiny_model: Path) -> None:
    plain = {"id": "y", "messages": [ASK, GOOD]}
    found, _ = read(tmp_path, tiny_model, [row([ASK, GOOD], [BAD], 1)] * 8 + [plain] * 3)
    assert len(found.train) == 8
    assert "8 of 11 training pairs" in Outcome(0, tmp_path).of("log")[0]["message"]


@pytest.mark.parametrize("wrong", [{"fork": 5}, {"fork": None}, {"rejected": ["No."]}, {"rejected": [BAD | {"role": "judge"}]}])
def test_a_row_whose_worse_answer_cannot_be_read_is_named(tmp_path: Path, wrong: dict[str, Any]) -> None:
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / "train.jsonl").write_text("\n" + json.dumps(row([ASK, GOOD], [BAD], 1) | wrong) + "\n")
    with pytest.raises(InputError) as raised:
        preferences.read_split(folder, "train")
    assert (raised.value.code, raised.value.where) == ("row_unreadable", "train.jsonl, row 2")
