"""Documents become blocks without losing or repeating a token, and whole documents are held out."""

import random
from pathlib import Path

import pytest

from engine import manifest
from engine.exits import InputError
from engine.lib.jsonl import write_lines
from engine.lib.training import texts
from engine.lib.training.texts import Document
from tests.engine.teaching import chunks_of


class Tokenizer:
    """A letter a token, numbered as in the alphabet; 0 ends a text."""

    bos_token_id: int | None = None
    eos_token_id = 99

    def __init__(self, begins: bool = False) -> None:
        self.bos_token_id = 98 if begins else None

    def get_vocab(self) -> dict[str, int]:
        return {"<|endoftext|>": 0}

    def __call__(self, text: str, add_special_tokens: bool = True, verbose: bool = True) -> dict[str, list[int]]:
        begin = [98] if add_special_tokens and self.bos_token_id else []
        return {"input_ids": begin + [ord(letter) - 96 for letter in text]}


def documents(*lengths: int) -> list[Document]:
    return [Document(f"v{number}", chr(97 + number) * length) for number, length in enumerate(lengths)]


@pytest.mark.parametrize("length", [2, 3, 4, 7, 100])
def test_every_token_but_the_first_is_predicted_once(length: int) -> None:
    blocks = texts.pack(documents(5, 3, 4), Tokenizer(), length, "train")
    stream = [1] * 5 + [0] + [2] * 3 + [0] + [3] * 4 + [0]
    assert blocks.tokens.tolist() == stream
    predicted = [token for block in blocks for token, counts in zip(block.ids, block.answer, strict=True) if counts]
    assert predicted == stream[1:]
    assert all(len(block.ids) == length for block in blocks[:-1]) and 2 <= len(blocks[-1].ids) <= length


def test_documents_come_in_an_order_drawn_by_the_seed() -> None:
    found = {tuple(texts.pack(documents(2, 2, 2, 2), Tokenizer(), 100, "train", seed).tokens.tolist()) for seed in range(10)}
    assert len(found) > 3
    assert found == {tuple(texts.pack(documents(2, 2, 2, 2), Tokenizer(), 100, "train", seed).tokens.tolist()) for seed in range(10)}


def test_each_document_begins_as_the_models_own_texts_do() -> None:
    assert texts.pack(documents(1, 1), Tokenizer(begins=True), 10, "train").tokens.tolist() == [98, 1, 0, 98, 2, 0]


def test_whole_documents_are_held_out_and_the_same_ones_in_any_order() -> None:
    all_of_them = documents(*([10] * 20))
    learnt, held = texts.split(all_of_them, 0.1)
    assert len(held) == 2 and len(learnt) == 18
    shuffled = random.Random(1).sample(all_of_them, 20)
    assert set(texts.split(shuffled, 0.1)[1]) == set(held)
    assert texts.split(all_of_them, 0)[1] == []


def test_a_long_document_is_not_held_out_for_a_small_share() -> None:
    learnt, held = texts.split(documents(1000, 5), 0.1)
    assert [document.id for document in held] == ["v1"] and [document.id for document in learnt] == ["v0"]
    learnt, held = texts.split(documents(1000, 500), 0.1)  # none is short enough: the shortest is
    assert [document.id for document in held] == ["v1"]
    assert texts.split(documents(1000), 0.1)[1] == []


def test_documents_and_raw_texts_are_read_once_each(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "more").mkdir(parents=True)
    (raw / "one.txt").write_text("The first text.", "utf-8")
    (raw / "more" / "two.txt").write_text("Der zweite Text, größer.", "utf-8")
    manifest.write(raw, "text")
    chunks = chunks_of(tmp_path / "chunks", {"a": "The first text.", "b": "Another.", "c": "  \n"})
    found = texts.read_documents(chunks, raw)
    assert sorted(document.text for document in found) == ["Another.", "Der zweite Text, größer.", "The first text."]
    (raw / "one.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match=r"cannot be read.*utf-8"):
        texts.read_documents(chunks, raw)


def test_the_documents_of_the_pairs_are_those_that_train_and_validation_cite(tmp_path: Path) -> None:
    for split, versions in {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}.items():
        write_lines(tmp_path / f"{split}.jsonl", [{"id": one, "messages": [], "sources": [{"version": one}]} for one in versions])
    assert texts.cited(tmp_path) == {"a", "b", "c"}
