"""The first batch as the model sees it, with the real model's tokenizer."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.exits import InputError
from engine.lib import batch_peek
from engine.lib.batch_peek import peek, template_name
from tests.catalogue import made


@pytest.fixture
def look(base_model: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """``look([row, …], …)``: what is shown of a dataset of just these rows."""

    def answer(rows: list[str], model: Path = base_model, **options: Any) -> dict[str, Any]:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        (folder / "train.jsonl").write_text("".join(row + "\n" for row in rows), "utf-8")
        usual = {"max_length": 256, "batch_size": 2, "seed": 0, "preferences": False}
        return peek({"model": str(model), "dataset": str(folder), **usual, **options})

    return answer


def learnt(row: dict[str, Any]) -> str:
    return "".join(piece["text"] for piece in row["pieces"] if piece["trained"])


def whole(row: dict[str, Any]) -> str:
    return "".join(piece["text"] for piece in row["pieces"])


def test_the_answer_alone_is_marked_and_the_question_stands_in_the_template(look: Callable[..., dict[str, Any]]) -> None:
    found = look([made.row(f"What is {n}?", f"The number {n}, naïvely: é😀.") for n in range(10)])
    assert (found["template"], found["of"], found["usable"], found["counts"], len(found["rows"])) == ("ChatML", 10, 10, {}, 2)
    for row in found["rows"]:
        number = learnt(row).split("number ")[1].split(",")[0]
        assert learnt(row) == f"The number {number}, naïvely: é😀.<|im_end|>"
        assert f"<|im_start|>user\nWhat is {number}?<|im_end|>" in whole(row)
        assert 0 < row["trained"] < row["tokens"]
    assert 0 < found["trained"] < found["tokens"]


def test_what_is_cut_or_left_out_is_counted_over_all_rows(look: Callable[..., dict[str, Any]]) -> None:
    odd = [made.row(answer="word " * 400), made.row(answer=""), made.row(question="word " * 400)]
    found = look([made.row()] * 3 + odd, batch_size=8)
    assert found["counts"] == {"answer_cut": 1, "empty_answer": 1, "no_room": 1}
    assert [row["tokens"] for row in found["rows"] if row["cut"]] == [256]


def test_of_preferences_both_answers_are_shown_and_learnt_only_where_they_part(look: Callable[..., dict[str, Any]]) -> None:
    row = json.loads(made.row("Which?", "This one."))
    both = json.dumps({**row, "rejected": [{"role": "assistant", "content": "That one."}], "fork": 1})
    found = look([both] * 3 + [made.row()] * 5, preferences=True)
    assert found["of"] == 3
    better, worse, *_ = found["rows"]
    assert (better["label"], learnt(better)) == ("better", "This one.<|im_end|>")
    assert (worse["label"], learnt(worse)) == ("worse", "That one.<|im_end|>")


def test_a_long_row_is_shown_in_part_and_says_so(look: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_peek, "TOKENS", 20)
    (row, _) = look([made.row(answer="word " * 100)] * 4)["rows"]
    assert row["more"] == row["tokens"] - 20


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ("{{ raise_exception('Only one turn') }}", "template_refuses"),
        ("{% if messages | length > 1 %}X{% endif %}{% for m in messages %}{{ m['content'] }}{% endfor %}", "template_prefix"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_advice(
    template: str, code: str, look: Callable[..., dict[str, Any]], base_model: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json"):
        if (base_model / name).is_file():
            shutil.copy(base_model / name, model / name)
    (model / "chat_template.jinja").write_text(template)
    with pytest.raises(InputError) as refused:
        look([made.row()] * 4, model)
    assert refused.value.code == code and refused.value.mend


def test_names_of_templates_are_those_people_use() -> None:
    assert template_name("{{ '<|im_start|>' }}") == "ChatML"
    assert template_name("<start_of_turn>") == "Gemma"
    assert template_name("{{ x }}") == "the model's own"
