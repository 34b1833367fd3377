"""The quality gate by its real command: what it hands over, with an embedding model and without, and when its input is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import manifest
from tests.engine.ingest_kit import embedding_server
from tests.engine.quality_kit import line
from tests.engine.stage_running import Outcome
from tests.materials import write_chunks

CHECKS = 20
SUBJECTS = "list tuple dictionary string integer module package class function loop file exception iterator generator decorator".split()


def rows(folder: Path, lines: list[dict[str, Any]], documents: list[dict[str, Any]] | None = None) -> Path:
    folder.mkdir()
    for name, some in (("pairs", lines), ("documents", documents or [])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in some), "utf-8")
    manifest.write(folder, "pair-rows")
    return folder


def good(count: int = 30) -> list[dict[str, Any]]:
    made = []
    for number in range(count):
        subject = f"{SUBJECTS[number % len(SUBJECTS)]} {number // len(SUBJECTS)}"
        answer = f"The {subject} keeps what the {SUBJECTS[(number + 4) % 15]} gave it until block {number} ends."
        made.append(line(number, f"What does the {subject} keep?", answer, context=answer, decided="person", topic=f"topic {number % 3}"))
    return made


def report(outcome: Outcome) -> dict[str, Any]:
    return json.loads((outcome.output("report") / "report.json").read_text("utf-8"))


def findings(outcome: Outcome) -> list[dict[str, Any]]:
    return [json.loads(one) for one in (outcome.output("report") / "findings.jsonl").read_text("utf-8").splitlines()]


def test_it_hands_over_a_report_findings_and_a_map_and_tells_each_check_as_it_goes(
    engine_run: Callable[..., Outcome], tmp_path: Path
) -> None:
    bad = line(99, "What is empty?", "N/A", decided="person", topic="topic 1")
    documents = [{"id": "d", "version": "v", "name": "bare.md", "chunks": 2, "characters": 80}]
    outcome = engine_run("check_pairs", {}, {"pairs": rows(tmp_path / "rows", [*good(), bad], documents)})
    manifest.verify(outcome.output("report"))
    told = report(outcome)
    by_key = {check["key"]: check for check in told["checks"]}
    assert len(by_key) == CHECKS and told["pairs"] == 31 and told["verdict"] == "fail" and told["size"]["band"] == "under 100"
    assert by_key["empty"]["verdict"] == "fail" and by_key["empty"]["number"] == 3.23 and by_key["empty"]["rows"] == 1
    assert by_key["empty"]["remedy"]["action"] == "reject" and by_key["documents"]["items"] == ["bare.md"]
    assert {"check": "empty", "pair": "row-99", "detail": "The answer is a placeholder"} in findings(outcome)
    drawn = json.loads((outcome.output("report") / "map.json").read_text("utf-8"))
    assert len(drawn["points"]) == 31 and sum(cluster["pairs"] for cluster in drawn["clusters"]) == 31
    phases = [event["name"] for event in outcome.of("phase")]
    assert {"read", *by_key, "map"} <= set(phases)
    assert {event["unit"] for event in outcome.of("progress")} == {"pairs"}


def test_the_same_input_gives_the_same_report(engine_run: Callable[..., Outcome], tmp_path: Path) -> None:
    given = rows(tmp_path / "rows", [*good(), line(40, "What does the list 0 keep, please?", good()[0]["messages"][1]["content"])])
    first, second = (engine_run("check_pairs", {}, {"pairs": given}, seed=3) for _ in range(2))
    assert findings(first) == findings(second)
    assert {**report(first), "seconds": 0} == {**report(second), "seconds": 0}


@pytest.mark.slow
def test_with_an_embedding_model_it_finds_the_same_in_other_words(engine_run: Callable[..., Outcome], tmp_path: Path) -> None:
    one = line(
        50, "What is a generator used for?", "A generator produces values one at a time, so that a long sequence never lies in memory."
    )
    other = line(
        51, "Why would somebody write generators?", "Generators yield one value at a time: a long sequence is never held in memory."
    )
    with embedding_server() as environment:
        outcome = engine_run("check_pairs", {}, {"pairs": rows(tmp_path / "rows", [*good(), one, other])}, **environment)
    found = [finding for finding in findings(outcome) if finding["check"] == "meaning_duplicates"]
    assert any({finding["pair"], finding["other"]} == {"row-50", "row-51"} for finding in found)


def test_passages_of_the_documents_lie_on_the_map_where_no_pair_draws_on_them(engine_run: Callable[..., Outcome], tmp_path: Path) -> None:
    with embedding_server() as environment:
        chunks = write_chunks(tmp_path / "chunks", embedder=environment["STUDIO_EMBEDDINGS_MODEL"])
        listed = [json.loads(one) for one in (chunks / "chunks.jsonl").read_text("utf-8").splitlines()]
        long_enough = [one for one in listed if len(one["text"]) >= 200]
        first = {key: long_enough[0][key] for key in ("document", "version", "start", "end")}
        about = line(60, "What is the with statement for?", "To wrap a block.", sources=[first])
        given = {"pairs": rows(tmp_path / "rows", [*good(), about]), "chunks": chunks}
        outcome = engine_run("check_pairs", {}, given, **environment)
    share = next(one for one in report(outcome)["checks"] if one["key"] == "passages")
    assert share["number"] == round(100 / len(long_enough), 2) and share["verdict"] == "warn"
    drawn = json.loads((outcome.output("report") / "map.json").read_text("utf-8"))
    assert {one["ordinal"] for one in drawn["passages"]} == {one["ordinal"] for one in long_enough[1:]}
    assert sum(one["bare"] for one in drawn["clusters"]) == len(long_enough) - 1


def test_the_models_own_template_and_tokenizer_count(engine_run: Callable[..., Outcome], base_model: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    code = line(70, "What does it print?", "".join(f"x{number} = [{number}, {number * 7}]\n" for number in range(40)))
    worse = line(71, "Which?", "The first.", rejected=[{"role": "assistant", "content": "0b1101_0010, " * 60}], fork=1)
    words = line(72, "What is said?", "Documentation characteristically demonstrates considerable international responsibility. " * 6)
    given = {"pairs": rows(tmp_path / "rows", [*good(12), code, worse, words]), "model": base_model}
    outcome = engine_run("check_pairs", {"context_tokens": 128}, given)
    tokenizer = AutoTokenizer.from_pretrained(base_model)

    def tokens(turns: list[dict[str, str]]) -> int:
        return len(tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), add_special_tokens=False)["input_ids"])

    found = {one["pair"]: one["detail"] for one in findings(outcome) if one["check"] == "too_long"}
    assert found == {
        "row-70": f"{tokens(code['messages']):,} tokens; training reads 128",
        "row-71": f"{tokens([worse['messages'][0], *worse['rejected']]):,} tokens; training reads 128 (with the rejected answer)",
    }
    assert tokens(words["messages"]) <= 128 < len(words["messages"][1]["content"]) / 3.5  # the estimate would have called it too long
    notes = {one["key"]: one["note"] for one in report(outcome)["checks"]}
    assert notes["template"] == "Tried with the chat template of SmolLM2-135M-Instruct."
    assert notes["too_long"] == "Counted with the tokenizer of SmolLM2-135M-Instruct."


def test_an_embedding_model_that_does_not_answer_is_a_warning_not_a_failure(engine_run: Callable[..., Outcome], tmp_path: Path) -> None:
    nobody = {"STUDIO_EMBEDDINGS_URL": "http://127.0.0.1:9/v1", "STUDIO_EMBEDDINGS_TOKEN": "t", "STUDIO_EMBEDDINGS_MODEL": "m"}
    outcome = engine_run("check_pairs", {}, {"pairs": rows(tmp_path / "rows", good(12))}, **nobody)
    assert outcome.of("warning")[0]["code"] == "unreachable"
    assert "No embedding model" in next(one["note"] for one in report(outcome)["checks"] if one["key"] == "meaning_duplicates")


@pytest.mark.parametrize(
    ("text", "where"), [("", "pairs.jsonl"), ('{"id": 1}\n', "pairs.jsonl, line 1"), ("{broken\n", "pairs.jsonl, line 1")]
)
def test_an_input_that_is_no_pairs_is_refused_with_its_place(
    engine_run: Callable[..., Outcome], tmp_path: Path, text: str, where: str
) -> None:
    folder = rows(tmp_path / "rows", [])
    (folder / "pairs.jsonl").write_text(text, "utf-8")
    outcome = engine_run("check_pairs", {}, {"pairs": folder}, expect=20)
    assert outcome.of("error")[0]["where"] == where and outcome.of("error")[0]["mend"]
