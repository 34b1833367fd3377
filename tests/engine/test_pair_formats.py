"""Every format gives back what it was given, and reads what others write."""

import json
import random
from typing import Any

import pytest

from engine.lib.pair_formats import FORMATS, FieldError, detect, reader
from engine.lib.pair_formats.columns import guess
from engine.lib.pair_rows import TURN_LIMIT, PairRow, RowError

ID = "11111111-2222-3333-4444-555555555555"


def turns(*texts: str, system: str | None = None) -> list[dict[str, str]]:
    said = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]
    return [{"role": "system", "content": system}, *said] if system is not None else said


TRICKY = [
    "plain",
    "=1+1",
    "'=1+1",
    "''+x",
    "-5",
    "@cmd",
    "\tx",
    "two\r\nlines",
    "lone\rreturn",
    'a,b;c\t"d"',
    "<script>alert(1)</script>",
    "日本語 🎌",
    "  spaces  ",
    "[1, 2]",
    '{"a": 1}',
    "[broken",
    "1e5",
    "NaN",
    "None",
    "_x000D_",
    "\x00nul",
    "\x08back",
    "\u2028",
    "\ufeffbom",
    "a" * 40_000,
]
SOURCE = {"document": ID, "version": ID, "page": 2, "start": 1, "end": 5, "evidence": "text"}


def everything() -> list[PairRow]:
    full = PairRow(
        turns("Q?", "A.", system="Be brief."),
        shape="definition",
        topic="law",
        language="en",
        difficulty="hard",
        tags=["a", "b c"],
        sources=[SOURCE],
        parent=ID,
        extra={"id": 7, "note": "x", "score": 0.5, "nested": {"a": [1]}, "empty": ""},
    )
    return [
        full,
        PairRow(turns("One?", "1.", "Two?", "2.", system="S")),
        PairRow(turns("Q?", "Good."), rejected=turns("", "Bad.")[1:], fork=1),
        PairRow(turns("Q?", "A1.", "Q2?", "A2."), rejected=turns("", "Bad.", "Q2?", "Worse.")[1:], fork=1),
        PairRow([*turns("Q?", "A."), {"role": "assistant", "content": "And more."}]),
        PairRow([*turns("Q?"), *turns("Again?", "A.")]),
        PairRow([*turns("Q?", "A."), {"role": "system", "content": "Now in German."}, *turns("Q2?", "A2.")]),
        PairRow(turns("Q?", "A.", system="")),
        PairRow(turns("Q?", "A."), tags=["a;b", "c,d"], topic="x"),
        PairRow(turns("Long\n\ninput", "A."), extra={"input": "input"}),
        PairRow(turns("Edited", "A."), extra={"input": "no longer in the question"}),
        PairRow(turns("Q?", "A."), extra=dict.fromkeys(("messages", "prompt", "Question", "topic", "rejected", "conversations"), "x")),
        PairRow(
            turns("Q?", "A."), extra={"extra": 1, "studio_x": 2, "rejected_messages": 3, "fork": "y", "language": "Klingonisch", "tags": 5}
        ),
        *(PairRow(turns(text, text, system=text), extra={"kept": text}) for text in TRICKY if text.strip()),
    ]


@pytest.mark.parametrize("key", FORMATS)
def test_what_was_written_is_read_back_as_it_was(key: str) -> None:
    for row in everything():
        if key == "preference" and not row.rejected:
            continue
        record = json.loads(json.dumps(FORMATS[key].write(row)))  # as a file of JSON lines would carry it
        assert FORMATS[key].read(record) == row


@pytest.mark.parametrize("key", FORMATS)
def test_random_conversations_survive_every_format(key: str) -> None:
    dice = random.Random(11)
    for _ in range(400):
        roles = [dice.choice(["system", "user", "assistant"]) for _ in range(dice.randint(0, 4))]
        said = [{"role": role, "content": dice.choice([*TRICKY[:-1], "", " "])} for role in roles]
        row = PairRow([*said, *turns(dice.choice(["Q?", "x", "=2"]), dice.choice(["A.", " 5 "]))])
        if not row.question.strip():
            continue
        if dice.random() < 0.5 or key == "preference":
            row.fork = dice.randint(1, len(row.messages) - 1)
            row.rejected = [{"role": "assistant", "content": dice.choice(TRICKY)}]
            if row.rejected == row.messages[row.fork :] or (key == "preference" and row.messages[row.fork]["role"] != "assistant"):
                continue
        assert FORMATS[key].read(json.loads(json.dumps(FORMATS[key].write(row)))) == row


@pytest.mark.parametrize(
    ("record", "key", "said"),
    [
        ({"messages": turns("Q?", "A.")}, "messages", ["Q?", "A."]),
        ({"messages": json.dumps(turns("Q?", "A."))}, "messages", ["Q?", "A."]),
        ({"messages": [{"role": "user", "content": [{"text": "Q?"}]}, *turns("", "A.")[1:]]}, "messages", ["Q?", "A."]),
        ({"conversations": [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": "A."}]}, "sharegpt", ["Q?", "A."]),
        (
            {"system": "S", "conversations": [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": "A."}]},
            "sharegpt",
            ["S", "Q?", "A."],
        ),
        ({"instruction": "Add.", "input": "1 + 1", "output": "2"}, "alpaca", ["Add.\n\n1 + 1", "2"]),
        ({"instruction": "Q?", "input": "", "output": "A.", "history": [["X", "Y"]]}, "alpaca", ["X", "Y", "Q?", "A."]),
        ({"prompt": "Q?", "completion": "A."}, "prompt_completion", ["Q?", "A."]),
        ({"prompt": turns("Q?"), "completion": turns("", "A.")[1:]}, "prompt_completion", ["Q?", "A."]),
        ({"prompt": "Q?", "chosen": "A.", "rejected": "B."}, "preference", ["Q?", "A."]),
        ({"chosen": turns("Q?", "A."), "rejected": turns("Q?", "B.")}, "preference", ["Q?", "A."]),
        ({"prompt": "Q?", "chosen": turns("Q?", "A."), "rejected": turns("Q?", "B.")}, "preference", ["Q?", "A."]),
        ({"Question": "Q?", "Answer": "A.", "Source": "x"}, "columns", ["Q?", "A."]),
    ],
)
def test_a_format_is_known_by_its_looks_and_read(record: dict[str, Any], key: str, said: list[str]) -> None:
    assert detect([record]) == key
    row = FORMATS[key].read(record)
    assert [turn["content"] for turn in row.messages] == said
    assert bool(row.rejected) == (key == "preference")
    if row.rejected:
        assert (row.rejected, row.fork) == (turns("", "B.")[1:], 1)


@pytest.mark.parametrize(
    ("key", "record", "named"),
    [
        ("messages", {"messages": turns("{}", "A.")}, "turn 1"),
        ("messages", {"messages": turns("Q?", "A.", system="{}")}, "turn 1"),
        ("columns", {"question": "Q?", "answer": "{}"}, "turn 2"),
        ("columns", {"question": "Q?", "answer": "A.", "rejected": "{}"}, "rejected turn 1"),
        ("preference", {"prompt": "Q?", "chosen": "A.", "rejected": "{}"}, "rejected turn 1"),
    ],
)
def test_a_turn_is_read_whole_or_refused(key: str, record: dict[str, Any], named: str) -> None:
    with_text = json.dumps(record).replace("{}", "x" * TURN_LIMIT)
    assert FORMATS[key].read(json.loads(with_text)).messages
    with pytest.raises(RowError, match=f"^{named} has 500,001 characters; at most 500,000 can be kept"):
        FORMATS[key].read(json.loads(json.dumps(record).replace("{}", "x" * (TURN_LIMIT + 1))))


def test_what_turns_hold_beyond_role_and_content_is_given_back() -> None:
    record = {"messages": [{"role": "user", "content": "Q?", "name": "ann"}, {"role": "assistant", "content": "A.", "weight": 0}]}
    assert FORMATS["messages"].write(FORMATS["messages"].read(record)) == record


def test_a_mapping_says_which_column_is_which_and_what_is_left_out() -> None:
    mapping = {
        "Titel": "question",
        "Text": "question",
        "Reply": "answer",
        "Kind": "topic",
        "Level": "difficulty",
        "Secret": "ignore",
        "id": "extra",
    }
    record = {"Titel": "T", "Text": "Q?", "Reply": 42, "Kind": "law", "Level": "B2", "Secret": "s", "id": 7, "new": "n"}
    row = reader("columns", mapping)(record)
    assert [turn["content"] for turn in row.messages] == ["T\n\nQ?", "42"]
    assert (row.topic, row.difficulty) == ("law", "")
    assert row.extra == {"Level": "B2", "id": 7, "new": "n"}


def test_a_column_kept_by_choice_stays_out_of_the_field_of_its_name() -> None:
    row = reader("columns", {"q": "question", "a": "answer", "topic": "extra"})({"q": "Q?", "a": "A.", "topic": "law"})
    assert (row.topic, row.extra) == ("", {"topic": "law"})


def test_columns_are_guessed_by_their_names() -> None:
    assert guess(["ID", "Prompt", "Response", "Labels", "studio_id"]) == {
        "ID": "extra",
        "Prompt": "question",
        "Response": "answer",
        "Labels": "tags",
        "studio_id": "ignore",
    }


@pytest.mark.parametrize(
    ("key", "record", "words", "column"),
    [
        ("messages", {"messages": "no"}, "no list of turns", "messages"),
        ("messages", {"messages": [{"role": "tool", "content": "x"}]}, "role 'tool'", "messages"),
        ("messages", {"messages": [{"role": "user", "content": None}]}, "has no text", "messages"),
        ("messages", {"messages": [{"role": ["x"], "content": ""}]}, "role", "messages"),
        ("messages", {"messages": turns("Q?")}, "the last turn is no answer", None),
        ("messages", {"messages": turns("Q?", "  ")}, "the answer is empty", None),
        ("alpaca", {"instruction": {"a": 1}, "output": "x"}, "a record where a text belongs", "instruction"),
        ("alpaca", {"instruction": "Q", "output": "x", "history": [["a"]]}, "no list of [question, answer]", "history"),
        ("preference", {"prompt": "Q", "chosen": "x", "rejected": "x"}, "are the same", None),
        ("columns", {"question": "Q?", "answer": ""}, "the answer is empty", "answer"),
        ("columns", {"text": "Q?"}, "no column is the question", ""),
        ("prompt_completion", {"prompt": "Q?", "completion": ["x"]}, "turn 1 of “completion”", "completion"),
    ],
)
def test_a_record_that_is_no_example_says_what_is_wrong_and_where(key: str, record: dict[str, Any], words: str, column: str | None) -> None:
    with pytest.raises(RowError) as caught:
        FORMATS[key].read(record)
    assert words in str(caught.value)
    assert (caught.value.column if isinstance(caught.value, FieldError) else None) == column


@pytest.mark.parametrize("value", [None, 5, "text", [], {}, [1], [[]], {"messages": 1}, True, ["a", {}]])
@pytest.mark.parametrize("key", FORMATS)
def test_nonsense_in_any_field_is_a_row_error_and_nothing_else(key: str, value: Any) -> None:
    good = FORMATS[key].write(everything()[3])
    for name in [*good, "tags", "sources", "extra", "fork", "rejected_messages", "parent", "language"]:
        try:
            FORMATS[key].read({**good, name: value})
        except RowError:
            pass
