"""What is different between two versions, from their files alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.comparing import compare, shown
from curation.dataset_rows import line_of
from curation.splitting import SPLITS


def row(pair: str, answer: str = "An answer.", **more: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": f"Question {pair}?"}, {"role": "assistant", "content": answer}]
    return {"id": pair, "messages": turns, "sources": [], "shape": "free", **more}


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    def make(name: str, **splits: list[dict[str, Any]]) -> Path:
        place = tmp_path / name
        place.mkdir()
        for split in SPLITS:
            (place / f"{split}.jsonl").write_text("".join(line_of(one) for one in splits.get(split, [])), "utf-8")
        return place

    return make


@pytest.fixture
def two(folder: Any) -> tuple[Path, Path]:
    old = [row("a"), row("b"), row("c", topic="old", tags=["x"])]
    new = [row("a"), row("c", topic="new", tags=["x", "y"]), row("d")]
    before = folder("one", train=old, test=[row("d"), row("e", "The old ünwise words.")])
    after = folder("two", train=new, test=[row("f")], validation=[row("e", "The new ünwise words.")])
    return before, after


def test_every_pair_is_the_same_added_removed_changed_or_moved(two: tuple[Path, Path]) -> None:
    found = compare(*two)
    assert {one.pair: (one.kind, one.moved) for one in found.differences} == {
        "f": ("added", ""),
        "b": ("removed", ""),
        "c": ("changed", ""),
        "e": ("changed", "test → validation"),
        "d": ("moved", "test → train"),
    }
    assert found.same == 1
    assert found.counts == {"added": 1, "removed": 1, "changed": 2, "moved": 2}
    assert [one.pair for one in found.of_kind("moved")] == ["e", "d"]


def test_the_words_that_went_and_came_are_marked(two: tuple[Path, Path]) -> None:
    one = next(one for one in compare(*two).differences if one.pair == "e")
    answer = shown(one, *two).turns[1]
    assert [(part.kind, part.text) for part in answer.segments] == [
        ("same", "The "), ("gone", "old"), ("new", "new"), ("same", " ünwise words."),
    ]  # fmt: skip


def test_labels_that_changed_are_named(two: tuple[Path, Path]) -> None:
    one = next(one for one in compare(*two).differences if one.pair == "c")
    assert shown(one, *two).labels == [("Topic", "old", "new"), ("Tags", "x", "x, y")]


def test_an_added_and_a_removed_pair_are_shown_whole(two: tuple[Path, Path]) -> None:
    for kind in ("added", "removed"):
        (one,) = compare(*two).of_kind(kind)
        view = shown(one, *two)
        assert view.question == f"Question {one.pair}?" and view.labels == [] and view.others == []
        assert {part.kind for turn in view.turns for part in turn.segments} == {"same"}


def test_two_equal_versions_differ_in_nothing(folder: Any) -> None:
    first, second = (folder(name, train=[row("a")], test=[row("b")]) for name in ("one", "two"))
    found = compare(first, second)
    assert (found.differences, found.same) == ((), 2)


def test_a_turn_and_a_worse_answer_that_came_are_marked_as_new(folder: Any) -> None:
    more = row("a")
    more["messages"] = [{"role": "system", "content": "Be brief."}, *more["messages"]]
    more |= {"rejected": [{"role": "assistant", "content": "Worse."}], "fork": 2}
    places = folder("one", train=[row("a")]), folder("two", train=[json.loads(json.dumps(more))])
    (one,) = compare(*places).differences
    view = shown(one, *places)
    assert view.worse[0].segments[0].kind == "new"
    assert view.turns[-1].role == "assistant" and view.turns[-1].segments[0].kind == "new"
    assert view.others == ["where its answers part"]
