"""Which tokens carry loss."""

import json
from pathlib import Path

import pytest

from engine.exits import InputError
from engine.lib import batches, chat_rows, models

MESSAGES = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi, how can I help?"},
    {"role": "user", "content": "What is 2 + 2?"},
    {"role": "assistant", "content": "It is 4."},
]


def row(messages: list[dict[str, str]]) -> chat_rows.Row:
    return chat_rows.Row("x", messages, "train", 1)


def test_every_assistant_turn_carries_loss_up_to_its_end_marker_and_nothing_else_does(base_model: Path) -> None:
    tokenizer = models.load_tokenizer(base_model)
    encoded = chat_rows.encode_row(row(MESSAGES), tokenizer)
    said = tokenizer.decode([token for token, answer in zip(encoded.ids, encoded.answer, strict=True) if answer])
    assert said == "Hi, how can I help?<|im_end|>It is 4.<|im_end|>"
    assert encoded.ids == tokenizer.apply_chat_template(MESSAGES, return_dict=False)


def test_a_template_that_rewrites_earlier_turns_is_refused_with_the_row(base_model: Path) -> None:
    tokenizer = models.load_tokenizer(base_model)
    tokenizer.chat_template = "{{ messages | length }} turns\n" + tokenizer.chat_template
    with pytest.raises(InputError) as raised:
        chat_rows.encode_row(row(MESSAGES), tokenizer)
    assert raised.value.code == "template_prefix"
    assert raised.value.where == "train.jsonl, row 1"


def test_a_row_that_is_no_conversation_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"messages": []}\n{"messages": [{"role": "robot", "content": "x"}]}\n')
    with pytest.raises(InputError) as raised:
        chat_rows.read_split(tmp_path, "train")
    assert raised.value.where == "train.jsonl, row 2"


def test_what_a_row_says_beyond_its_messages_is_not_trained_on(base_model: Path, tmp_path: Path) -> None:
    beside = {
        "sources": [], "shape": "free", "topic": "Sums", "language": "en", "difficulty": "easy", "tags": ["x"], "extra": {"ticket": 7},
        "rejected": [{"role": "assistant", "content": "It is 5, a wrong answer."}], "fork": 3, "rehearsal": True,
    }  # fmt: skip
    lines = [{"id": "x", "messages": MESSAGES}, {"id": "x", "messages": MESSAGES, **beside}]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    plain, full = chat_rows.read_split(tmp_path, "train")
    tokenizer = models.load_tokenizer(base_model)
    encoded, rejects = chat_rows.encode([plain, full], tokenizer, 512)
    assert not rejects.rows and encoded[0].ids == encoded[1].ids and encoded[0].answer == encoded[1].answer
    assert "wrong answer" not in tokenizer.decode(encoded[1].ids)


def test_an_epoch_sees_every_row_once_in_the_same_order_for_the_same_seed() -> None:
    lengths = [(7 * n) % 101 for n in range(1000)]
    epoch = batches.shuffled(lengths, 8, seed=1, epoch=0)
    assert sorted(n for batch in epoch for n in batch) == list(range(1000))
    assert epoch == batches.shuffled(lengths, 8, seed=1, epoch=0)
    assert epoch != batches.shuffled(lengths, 8, seed=1, epoch=1)
    padded = sum(max(lengths[n] for n in batch) * len(batch) for batch in epoch)
    assert padded < 1.1 * sum(lengths)
