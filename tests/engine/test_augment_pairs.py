"""Further pairs from pairs: each knows its parent, none is nearly a copy, and nothing is lost or invented on the way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import manifest
from engine.lib.pair_rows import PairRow
from tests.engine.chat_server import chat_server
from tests.engine.stage_running import Outcome

CONTEXT = (
    "Every nurse checks the gloves at the start of a shift. Broken gloves are reported to the safety officer within 24 hours. "
    "Gloves are washed at 60 degrees in the cellar of the house."
)
EVIDENCE = "Broken gloves are reported to the safety officer within 24 hours."
QUESTION = "To whom are broken gloves reported within 24 hours?"
QUICK = {"wait": 0.01, "seconds": 20}


def pair(number: int = 0, **changes: Any) -> dict[str, Any]:
    start = 100 + CONTEXT.index(EVIDENCE)
    source = {"document": "d1", "version": "v1", "page": 1, "start": start, "end": start + len(EVIDENCE), "evidence": EVIDENCE}
    turns = [
        {"role": "user", "content": changes.pop("question", QUESTION)},
        {"role": "assistant", "content": changes.pop("answer", EVIDENCE)},
    ]
    row = {
        "id": f"p{number}",
        "messages": turns,
        "shape": "factual",
        "language": "en",
        "topic": "Gloves",
        "sources": [source],
        "context": CONTEXT,
    }
    return {**row, "status": "APPROVED", "origin": "generated", **changes}


@pytest.fixture
def rows_in(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: dict[str, Any], name: str = "rows") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        manifest.write(folder, "pair-rows")
        return folder

    return write


def made(outcome: Outcome) -> list[PairRow]:
    return [PairRow.from_dict(json.loads(line)) for line in (outcome.output("pairs") / "pairs.jsonl").read_text("utf-8").splitlines()]


def facts(outcome: Outcome) -> dict[str, Any]:
    return outcome.of("artifact")[0]["facts"]


def test_paraphrases_know_their_parent_and_near_copies_are_left_out(
    engine_run: Callable[..., Outcome], rows_in: Callable[..., Path]
) -> None:
    said = [
        {"question": "Who must be told of torn or broken gloves in the first 24 hours?", "answer": "x"},
        {"question": "To whom are the broken gloves reported within 24 hours?", "answer": "x"},
        {"question": "Who must be told of torn gloves in the first 48 hours?", "answer": "x"},
        {"question": "Who must be told of torn or broken gloves in the first 24 hours?", "answer": "x"},
    ]
    with chat_server(lambda text, number: json.dumps(said)) as server:
        outcome = engine_run("augment_pairs", {**QUICK, "per_pair": 4}, {"pairs": rows_in(pair())}, **server.environment)
    (row,) = made(outcome)
    assert row.question == said[0]["question"] and row.answer == EVIDENCE
    assert row.parent == "p0" and row.topic == "Gloves" and row.sources[0]["evidence"] == EVIDENCE
    assert facts(outcome)["rejected"] == {"nearly a copy": 2, "another number or name": 1}
    assert facts(outcome)["origin"] == "augmented" and facts(outcome)["made_by"] == "augment_pairs (paraphrase), writer-1"


def test_an_answer_in_other_words_has_to_be_supported(engine_run: Callable[..., Outcome], rows_in: Callable[..., Path]) -> None:
    said = [
        {"question": "Who hears of broken gloves inside 24 hours?", "answer": "The safety officer, within 24 hours."},
        {"question": "Broken gloves: whom do I tell in 24 hours?", "answer": "Call the fire brigade and leave the building."},
    ]
    with chat_server(lambda text, number: json.dumps(said)) as server:
        outcome = engine_run("augment_pairs", {**QUICK, "answers": True}, {"pairs": rows_in(pair())}, **server.environment)
    assert [row.answer for row in made(outcome)] == ["The safety officer, within 24 hours."]
    assert facts(outcome)["rejected"] == {"not supported": 1}


def test_templates_need_no_model_and_fill_every_slot(engine_run: Callable[..., Outcome], rows_in: Callable[..., Path]) -> None:
    params = {
        "method": "template",
        "per_pair": 6,
        "templates": "In the {department}, {question}\nTopic {topic}: {question}",
        "slots": "department = ward | clinic",
    }
    outcome = engine_run("augment_pairs", params, {"pairs": rows_in(pair(), pair(1, question="Are gloves washed?", topic=""))})
    asked = [row.question for row in made(outcome)]
    assert asked == [
        f"In the ward, {QUESTION}",
        f"In the clinic, {QUESTION}",
        f"Topic Gloves: {QUESTION}",
        "In the ward, are gloves washed?",
        "In the clinic, are gloves washed?",
    ]
    assert [row.parent for row in made(outcome)] == ["p0"] * 3 + ["p1"] * 2


def test_a_pair_that_holds_a_slot_is_filled_in_question_and_answer(
    engine_run: Callable[..., Outcome], rows_in: Callable[..., Path]
) -> None:
    source = pair(question="Who leads the {unit}?", answer="The head of the {unit}.")
    params = {"method": "template", "per_pair": 9, "slots": "unit = laboratory | pharmacy"}
    outcome = engine_run("augment_pairs", params, {"pairs": rows_in(source)})
    assert [(row.question, row.answer) for row in made(outcome)] == [
        ("Who leads the laboratory?", "The head of the laboratory."),
        ("Who leads the pharmacy?", "The head of the pharmacy."),
    ]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"templates": "In {place}, {question}"}, "{place}"),
        ({"templates": "{question}", "slots": "department ward"}, "Line 1"),
        ({}, "neither a template nor a slot"),
    ],
)
def test_a_template_that_cannot_be_read_says_which_line(
    engine_run: Callable[..., Outcome], rows_in: Callable[..., Path], params: dict[str, str], says: str
) -> None:
    outcome = engine_run("augment_pairs", {"method": "template", **params}, {"pairs": rows_in(pair())}, expect=20)
    error = outcome.of("error")[0]
    assert says in error["message"] and error["mend"]


def test_back_translation_goes_through_the_other_language(engine_run: Callable[..., Outcome], rows_in: Callable[..., Path]) -> None:
    def talk(text: str, number: int) -> str:
        if "Translate into French" in text:
            return "Qui doit être informé des gants cassés sous 24 heures ?"
        assert "Translate into English" in text and "Qui doit" in text
        return "Who must be informed about damaged gloves under 24 hours?"

    with chat_server(talk) as server:
        params = {**QUICK, "method": "back_translation", "language": "French"}
        outcome = engine_run("augment_pairs", params, {"pairs": rows_in(pair())}, **server.environment)
    assert [row.question for row in made(outcome)] == ["Who must be informed about damaged gloves under 24 hours?"]
    assert len(server.asked) == 2


def test_variants_quote_another_place_of_the_same_passage(engine_run: Callable[..., Outcome], rows_in: Callable[..., Path]) -> None:
    quote = "Gloves are washed at 60 degrees in the cellar of the house"
    said = [
        {"question": "How hot are gloves washed, and where?", "answer": "They are washed at 60 degrees in the cellar.", "quote": quote},
        {
            "question": "When are gloves thrown away?",
            "answer": "They are thrown away after 30 days.",
            "quote": "after 30 days they are thrown away",
        },
    ]
    with chat_server(lambda text, number: json.dumps(said)) as server:
        outcome = engine_run("augment_pairs", {**QUICK, "method": "variants"}, {"pairs": rows_in(pair())}, **server.environment)
    (row,) = made(outcome)
    (source,) = row.sources
    document = "." * 100 + CONTEXT
    assert document[source["start"] : source["end"]] == source["evidence"] == quote
    assert row.parent == "p0" and facts(outcome)["rejected"] == {"quote not found": 1}


def test_others_questions_are_not_asked_again(engine_run: Callable[..., Outcome], rows_in: Callable[..., Path]) -> None:
    others = rows_in(pair(7, question="Who must be told of torn or broken gloves in the first 24 hours?"), name="others")
    said = [{"question": "Who must be told of the torn or broken gloves in the first 24 hours?", "answer": ""}]
    with chat_server(lambda text, number: json.dumps(said)) as server:
        outcome = engine_run("augment_pairs", QUICK, {"pairs": rows_in(pair()), "others": others}, expect=20, **server.environment)
    assert "nearly a copy: 1" in outcome.of("error")[0]["message"]


def test_nonsense_and_failures_do_not_end_the_rest(engine_run: Callable[..., Outcome], rows_in: Callable[..., Path]) -> None:
    def talk(text: str, number: int) -> str | tuple[int, str]:
        topic = text.split("Question: About ")[1].split(",")[0]
        replies: list[str | tuple[int, str]] = ["no idea", (400, '{"error": {"message": "no"}}'), '[{"question": "half']
        return (
            replies[int(topic) % 4] if int(topic) % 4 < 3 else json.dumps([{"question": f"Regarding matter {topic}: whom does one tell?"}])
        )

    rows = [pair(n, question=f"About {n}, to whom is it reported?") for n in range(12)]
    with chat_server(talk) as server:
        outcome = engine_run("augment_pairs", {**QUICK, "per_pair": 1}, {"pairs": rows_in(*rows)}, **server.environment)
    assert len(made(outcome)) == 3
    assert facts(outcome)["rejected"] == {"no JSON": 6} and facts(outcome)["failed"] == {"refused": 3}
