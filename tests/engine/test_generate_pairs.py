"""Pairs by a model: what stands is kept, what does not is counted, what fails is tried again, and nothing fails the rest."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import manifest
from engine.grants import Servable
from engine.lib.pair_rows import PairRow
from engine.spec import Spec
from tests.engine.chat_server import chat_server, honest, passage_in
from tests.engine.serving import Serving
from tests.engine.stage_running import Outcome, engine_start

TOPICS = ["gloves", "hand rubs", "needles", "masks", "gowns", "beds", "sinks", "drains"]
QUICK = {"wait": 0.01, "evolve": 0, "kinds": ["factual"], "seconds": 20}


def text_about(topic: str) -> str:
    return (
        f"The ward keeps {topic} in the blue cupboard beside the door of room 12. Every nurse checks the {topic} at the start of a shift. "
        f"Broken {topic} are reported to the safety officer within 24 hours. Because dust settles on {topic}, they are covered at night. "
        f"Unlike instruments, {topic} are not sterilised but washed at 60 degrees in the cellar of the house."
    )


def chunks_of(folder: Path, count: int = 8) -> Path:
    """A ``chunks`` artifact with a passage a document."""
    folder.mkdir()
    documents, chunks = [], []
    for number in range(count):
        topic = f"{TOPICS[number % len(TOPICS)]} {number}" if count > len(TOPICS) else TOPICS[number]
        text, version = "Rules of the ward. " + text_about(topic), f"v{number}"
        documents.append({"id": f"d{number}", "version": version, "status": "ok", "title": f"About {topic}", "language": "eng"})
        chunks.append(
            {"document": f"d{number}", "version": version, "ordinal": 0, "text": text[19:], "start": 19, "page": 1, "headings": []}
        )
    (folder / "documents.jsonl").write_text("".join(json.dumps(row) + "\n" for row in documents), "utf-8")
    (folder / "chunks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chunks), "utf-8")
    manifest.write(folder, "chunks")
    return folder


@pytest.fixture
def chunks(tmp_path: Path) -> Path:
    return chunks_of(tmp_path / "chunks")


def rows_of(outcome: Outcome) -> list[PairRow]:
    lines = (outcome.output("pairs") / "pairs.jsonl").read_text("utf-8").splitlines()
    return [PairRow.from_dict(json.loads(line)) for line in lines]


def facts_of(outcome: Outcome) -> dict[str, Any]:
    return outcome.of("artifact")[0]["facts"]


def test_each_pair_quotes_its_passage_and_says_where(engine_run: Callable[..., Outcome], chunks: Path) -> None:
    with chat_server(honest) as server:
        outcome = engine_run(
            "generate_pairs", {**QUICK, "total": 6, "personas": "a new nurse", "parallel": 1}, {"chunks": chunks}, **server.environment
        )
    rows = rows_of(outcome)
    assert len(rows) == 6 and len({row.question for row in rows}) == 6
    for row in rows:
        (source,) = row.sources
        topic = TOPICS[int(source["document"][1:])]
        assert ("Rules of the ward. " + text_about(topic))[source["start"] : source["end"]] == source["evidence"] == row.answer
        assert row.extra == {"support": 1.0, "overlap": 1.0, "persona": "a new nurse"} and row.language == "en"
    facts = facts_of(outcome)
    assert facts["origin"] == "generated" and facts["made_by"] == "generate_pairs, writer-1" and not facts.get("partial")
    assert facts["calls"] == len(server.asked) and facts["tokens_in"] > 0 < facts["tokens_out"]
    assert server.keys == {"Bearer a key"} and "a key" not in (outcome.folder / "events.jsonl").read_text()
    assert all("a new nurse" in text for text in server.asked)
    assert max(outcome.metric("accepted").values()) == 6 and outcome.of("sample")


def test_every_kind_is_asked_and_the_unanswerable_are_verified(engine_run: Callable[..., Outcome], chunks: Path) -> None:
    with chat_server(honest) as server:
        outcome = engine_run("generate_pairs", {"wait": 0.01, "evolve": 2, "total": 28}, {"chunks": chunks}, seed=3, **server.environment)
    rows = rows_of(outcome)
    kinds = facts_of(outcome)["kinds"]
    assert set(kinds) == {"factual", "procedural", "comparison", "cause", "definition", "scenario", "unanswerable"}
    assert {row.difficulty for row in rows} == {"easy", "medium", "hard"}
    assert sum("NOT STATED" in text for text in server.asked) >= kinds["unanswerable"]
    unanswerable = next(row for row in rows if row.shape == "unanswerable")
    assert "do not state" in unanswerable.answer and unanswerable.sources[0]["evidence"].startswith("The ward keeps")


def test_an_unanswerable_question_that_its_passage_answers_is_rejected(engine_run: Callable[..., Outcome], chunks: Path) -> None:
    def talk(text: str, number: int) -> str:
        if "NOT STATED" in text:
            return "In the blue cupboard beside the door."
        return honest(text, number)

    params = {**QUICK, "kinds": ["unanswerable", "factual"], "total": 16}
    with chat_server(talk) as server:
        outcome = engine_run("generate_pairs", params, {"chunks": chunks}, **server.environment)
    facts = facts_of(outcome)
    assert facts["rejected"]["answered by its passage"] >= 8 and "unanswerable" not in facts["kinds"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Certainly! Here is a nice question about wards.", "no JSON"),
        ('[{"question": "Where are the gloves kept in the ward?", "answer": "In the blue cup', "no JSON"),
        ('[{"question": "Where are they?", "answer": ""}]', "incomplete"),
        ("I'm sorry, I can't help with that.", "refused"),
        ('[{"question": "What does the passage say of dust?", "answer": "It settles.", "quote": "dust settles"}]', "points at its passage"),
        (
            '[{"question": "Where are things kept?", "answer": "In the red cupboard.", "quote": "in the red cupboard upstairs"}]',
            "quote not found",
        ),
        (
            '[{"question": "When is it reported?", "answer": "It is reported within 48 hours.", "quote": "to the safety officer within"}]',
            "not supported",
        ),
    ],
)
def test_what_does_not_stand_is_counted_and_the_rest_goes_on(
    engine_run: Callable[..., Outcome], chunks: Path, said: str, reason: str
) -> None:
    with chat_server(lambda text, number: said if number % 2 else honest(text, number)) as server:
        outcome = engine_run("generate_pairs", {**QUICK, "total": 8}, {"chunks": chunks}, **server.environment)
    facts = facts_of(outcome)
    assert facts["pairs"] == 4 and facts["rejected"] == {reason: 4} and facts["partial"]
    assert [warning["code"] for warning in outcome.of("warning")] == ["fewer"]


def test_half_json_keeps_what_is_whole(engine_run: Callable[..., Outcome], chunks: Path) -> None:
    def talk(text: str, number: int) -> str:
        return "```json\n" + honest(text, number).rstrip("]") + ', {"question": "And what about the se'

    with chat_server(talk) as server:
        outcome = engine_run("generate_pairs", {**QUICK, "total": 4, "per_call": 2}, {"chunks": chunks}, **server.environment)
    assert len(rows_of(outcome)) == 4


@pytest.mark.parametrize("failure", [(429, '{"error": {"message": "slow down"}}'), (503, "busy"), (200, "no json at all"), (500, "")])
def test_a_server_that_fails_now_and_then_is_asked_again(
    engine_run: Callable[..., Outcome], chunks: Path, failure: tuple[int, str]
) -> None:
    with chat_server(lambda text, number: failure if number % 2 == 0 else honest(text, number)) as server:
        outcome = engine_run("generate_pairs", {**QUICK, "total": 8, "parallel": 1}, {"chunks": chunks}, **server.environment)
    facts = facts_of(outcome)
    assert facts["pairs"] == 8 and facts["tried_again"] >= 8 and facts["failed"] == {}
    assert facts["calls"] == len(server.asked)  # tries are paid for, too


def test_a_reply_that_does_not_come_is_given_up_and_the_rest_goes_on(engine_run: Callable[..., Outcome], chunks: Path) -> None:
    def talk(text: str, number: int) -> str:
        if "needles" in text:
            time.sleep(3)
        return honest(text, number)

    with chat_server(talk) as server:
        params = {**QUICK, "total": 8, "seconds": 0.7, "tries": 2}
        outcome = engine_run("generate_pairs", params, {"chunks": chunks}, **server.environment)
    facts = facts_of(outcome)
    assert facts["pairs"] == 7 and facts["failed"] == {"timeout": 1} and facts["tried_again"] == 1


def test_the_budget_holds_for_calls_tokens_and_money(engine_run: Callable[..., Outcome], tmp_path: Path) -> None:
    chunks = chunks_of(tmp_path / "many", 40)
    for limit in ({"max_calls": 5}, {"max_tokens": 4000}, {"max_cost": 0.01, "price_in": 2, "price_out": 6}):
        with chat_server(honest) as server:
            params = {**QUICK, "total": 40, "answer_tokens": 200, **limit}
            facts = facts_of(engine_run("generate_pairs", params, {"chunks": chunks}, **server.environment))
        assert 0 < facts["pairs"] < 40 and facts["partial"]
        assert facts["calls"] <= limit.get("max_calls", 1000)
        assert facts["tokens_in"] + facts["tokens_out"] <= limit.get("max_tokens", 2_000_000)
        assert facts["cost"] <= limit.get("max_cost", 0)


def test_a_wrong_key_ends_it_at_once_and_says_what_to_do(engine_run: Callable[..., Outcome], chunks: Path) -> None:
    with chat_server(lambda text, number: (401, '{"error": {"message": "bad key"}}')) as server:
        outcome = engine_run("generate_pairs", {**QUICK, "total": 8}, {"chunks": chunks}, expect=20, **server.environment)
    error = outcome.of("error")[0]
    assert error["code"] == "endpoint_token" and error["mend"] and len(server.asked) <= 3


def test_a_server_that_dies_half_way_leaves_what_was_made(engine_run: Callable[..., Outcome], tmp_path: Path) -> None:
    chunks = chunks_of(tmp_path / "many", 40)
    with chat_server(lambda text, number: honest(text, number) if number < 5 else (500, "")) as server:
        outcome = engine_run("generate_pairs", {**QUICK, "total": 40, "tries": 1}, {"chunks": chunks}, **server.environment)
    assert len(rows_of(outcome)) == 5 and facts_of(outcome)["partial"]
    assert outcome.of("warning")[0]["code"] == "endpoint_server" and len(server.asked) < 20


@pytest.mark.slow
def test_stopping_keeps_what_was_made(tmp_path: Path) -> None:
    chunks = chunks_of(tmp_path / "many", 40)
    with chat_server(honest, delay=0.3) as server:
        folder = tmp_path / "run"
        params = {**QUICK, "total": 40}
        process = engine_start(folder, Spec(stage="generate_pairs", params=params, inputs={"chunks": str(chunks)}), **server.environment)
        outcome = Outcome(0, folder)
        while not outcome.of("sample") if (folder / "events.jsonl").exists() else True:
            time.sleep(0.05)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 10
        assert time.monotonic() - asked < 5
    assert 0 < len(rows_of(outcome)) < 40 and facts_of(outcome)["partial"]


def test_the_rest_is_made_from_the_preview_without_asking_anything_twice(engine_run: Callable[..., Outcome], tmp_path: Path) -> None:
    chunks = chunks_of(tmp_path / "many", 40)
    with chat_server(honest) as server:
        first = engine_run("generate_pairs", {**QUICK, "total": 25, "preview": 10, "parallel": 1}, {"chunks": chunks}, **server.environment)
        looked_at, calls = rows_of(first), len(server.asked)
        assert len(looked_at) == 10 and facts_of(first)["preview"]
        inputs = {"chunks": chunks, "preview": first.output("pairs")}
        rest = engine_run("generate_pairs", {**QUICK, "total": 25, "parallel": 1}, inputs, **server.environment)
    rows = rows_of(rest)
    assert rows[:10] == looked_at and len(rows) == 25 and not facts_of(rest).get("preview")
    asked_before = {passage_in(text) for text in server.asked[:calls]}
    assert not asked_before & {passage_in(text) for text in server.asked[calls:]}


def test_several_calls_run_at_once(engine_run: Callable[..., Outcome], tmp_path: Path) -> None:
    chunks = chunks_of(tmp_path / "many", 16)
    with chat_server(honest, delay=0.3) as server:
        engine_run("generate_pairs", {**QUICK, "total": 16, "parallel": 4}, {"chunks": chunks}, **server.environment)
    assert server.most == 4


def test_a_model_too_small_for_it_is_survived(engine_run: Callable[..., Outcome], chunks: Path, server: Serving) -> None:
    """The real server with the real 135M model, which can hardly write JSON: whatever it says ends well and is counted."""
    from tests.engine.serving import WRITER

    assert isinstance(WRITER, Servable)
    environment = {"STUDIO_CHAT_URL": server.url, "STUDIO_CHAT_TOKEN": server.grant(), "STUDIO_CHAT_MODEL": "writer"}
    params = {**QUICK, "total": 2, "max_calls": 3, "answer_tokens": 60, "seconds": 120, "parallel": 1}
    outcome = engine_run("generate_pairs", params, {"chunks": chunks}, expect=None, **environment)
    if outcome.code == 0:
        assert rows_of(outcome)
    else:
        assert outcome.code == 20 and outcome.of("error")[0]["code"] == "no_pairs"
        assert "no JSON: " in outcome.of("error")[0]["message"] or "incomplete: " in outcome.of("error")[0]["message"]
    assert max(outcome.metric("tokens").values()) > 100
