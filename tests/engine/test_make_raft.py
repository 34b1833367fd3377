"""RAFT rows: the right passage among others, in the share that was asked for, and an answer that quotes it."""

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import manifest
from engine.lib.pair_rows import PairRow
from engine.spec import Spec
from tests.engine.stage_running import Outcome, engine_start
from tests.runs.conftest import wait_until


def passage(text: str, document: str) -> dict[str, Any]:
    return {"text": text, "document": document, "version": f"v-{document}", "page": 1, "start": 0, "end": len(text)}


@pytest.fixture
def contexts(tmp_path: Path) -> Path:
    folder = tmp_path / "contexts"
    folder.mkdir()
    lines = []
    for number in range(20):
        evidence = f"Rule {number} says that door {number} is locked at night."
        text = f"House rules. {evidence} Ask the porter."
        start = text.index(evidence)
        place = {"document": f"d{number}", "version": f"v-d{number}", "page": 1, "start": start, "end": start + len(evidence)}
        lines.append(
            {
                "pair": f"p{number}",
                "question": f"When is door {number} locked?",
                "answer": "At night.",
                "evidence": {**place, "evidence": evidence},
                "oracle": passage(text, f"d{number}"),
                "distractors": [passage(f"Other words {number} {n}.", f"o{n}") for n in range(5)],
            }
        )
    (folder / "contexts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    manifest.write(folder, "contexts")
    return folder


def rows_of(outcome: Outcome) -> list[PairRow]:
    return [PairRow.from_dict(json.loads(line)) for line in (outcome.output("pairs") / "pairs.jsonl").read_text("utf-8").splitlines()]


def test_the_share_holds_the_passage_and_the_answer_quotes_it(engine_run: Callable[..., Outcome], contexts: Path) -> None:
    outcome = engine_run("make_raft", {"distractors": 3, "oracle_share": 0.75}, {"contexts": contexts}, seed=4)
    rows = rows_of(outcome)
    held = [row for row in rows if row.shape == "raft"]
    assert len(rows) == 20 and len(held) == 15
    places = set()
    for row in held:
        number = int(row.parent[1:])  # type: ignore[index]
        evidence = f"Rule {number} says that door {number} is locked at night."
        cited = re.search(r"“(.*)” \[(\d)\]$", row.answer)
        assert row.answer.startswith("At night.") and cited and cited[1] == evidence
        shown = dict(re.findall(r"^\[(\d)\] (.*)$", row.question, re.MULTILINE))
        assert len(shown) == 4 and evidence in shown[cited[2]] and row.question.endswith(f"When is door {number} locked?")
        assert row.sources[0]["evidence"] == evidence
        places.add(cited[2])
    assert len(places) > 2  # no place gives the answer away
    for row in rows:
        if row.shape == "unanswerable":
            assert "locked at night" not in row.question and row.answer == "The passages do not answer this."
    assert outcome.of("artifact")[0]["facts"]["with_oracle"] == 15


def test_without_the_passage_the_answer_may_come_from_memory(engine_run: Callable[..., Outcome], contexts: Path) -> None:
    rows = rows_of(engine_run("make_raft", {"oracle_share": 0, "without": "know_it"}, {"contexts": contexts}))
    assert {row.answer for row in rows} == {"At night."} and not any("locked at night" in row.question for row in rows)


def test_the_same_seed_gives_the_same_rows(engine_run: Callable[..., Outcome], contexts: Path) -> None:
    one, other = (rows_of(engine_run("make_raft", {}, {"contexts": contexts}, seed=9)) for _ in range(2))
    assert one == other


def test_no_contexts_is_told(engine_run: Callable[..., Outcome], tmp_path: Path) -> None:
    folder = tmp_path / "none"
    folder.mkdir()
    (folder / "contexts.jsonl").write_text("")
    manifest.write(folder, "contexts")
    assert engine_run("make_raft", {}, {"contexts": folder}, expect=20).of("error")[0]["code"] == "no_contexts"


@pytest.mark.slow
def test_a_stop_while_all_rows_are_saved_comes_too_late(contexts: Path, tmp_path: Path) -> None:
    folder, held = tmp_path / "run", tmp_path / "held"
    folder.mkdir()
    hold = {"STUDIO_FAULT": "artifact.before_write", "STUDIO_FAULT_HOLD": str(held)}
    engine = engine_start(folder, Spec(stage="make_raft", inputs={"contexts": str(contexts)}), **hold)
    outcome = Outcome(0, folder)
    wait_until(held.exists, 60)
    engine.send_signal(signal.SIGTERM)
    wait_until(lambda: "Asked to stop" in outcome.log, 30)
    held.unlink()
    assert engine.wait(60) == 0, outcome.log
    assert outcome.of("finished")[0]["summary"]["pairs"] == len(rows_of(outcome)) == 20
    assert "partial" not in manifest.verify(outcome.output("pairs")).facts
