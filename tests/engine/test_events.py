"""events.jsonl: whole lines, whatever a stage says."""

from pathlib import Path

import pytest

from engine.events import EVENTS_FILE, EventWriter, read_from


@pytest.fixture
def say(tmp_path: Path) -> EventWriter:
    return EventWriter(tmp_path)


def test_what_is_written_is_read_in_its_order(say: EventWriter, tmp_path: Path) -> None:
    for number in range(3):
        say.write("log", message=str(number))
    events, offset = read_from(tmp_path / EVENTS_FILE, 0)
    assert [(event.seq, event.data["message"]) for event in events] == [(1, "0"), (2, "1"), (3, "2")]
    assert read_from(tmp_path / EVENTS_FILE, offset) == ([], offset)


def test_a_line_longer_than_a_block_does_not_hold_up_what_follows(say: EventWriter, tmp_path: Path) -> None:
    say.write("log", message="x" * 500)
    say.write("log", message="after")
    first, offset = read_from(tmp_path / EVENTS_FILE, 0, limit_bytes=100)
    assert len(first[0].data["message"]) == 500
    assert read_from(tmp_path / EVENTS_FILE, offset, limit_bytes=100)[0][0].data["message"] == "after"


def test_a_long_line_that_is_still_being_written_waits(say: EventWriter, tmp_path: Path) -> None:
    say.write("log", message="x" * 500)
    path = tmp_path / EVENTS_FILE
    path.write_bytes(path.read_bytes()[:300])
    assert read_from(path, 0, limit_bytes=100) == ([], 0)


def test_nothing_is_said_that_a_database_cannot_hold(say: EventWriter, tmp_path: Path) -> None:
    say.write("sample", title="a\x00b", prompt="half \ud83d", text="whole 😀")
    say.write("metric", step=1, values={"loss": float("nan")})
    sample, metric = read_from(tmp_path / EVENTS_FILE, 0)[0]
    assert sample.data == {"title": "a\ufffdb", "prompt": "half \ufffd", "text": "whole 😀"}
    assert metric.data["values"] == {"loss": None}


def test_a_file_that_is_not_there_yet_has_no_events(tmp_path: Path) -> None:
    assert read_from(tmp_path / EVENTS_FILE, 0) == ([], 0)
