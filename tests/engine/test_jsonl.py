"""A JSON object a line: what is read and written, and what is said of a line that cannot be read."""

from pathlib import Path

import pytest

from engine.exits import InputError
from engine.lib.jsonl import read_lines, write_lines


def test_what_was_written_is_read_again_whatever_separators_its_texts_hold(tmp_path: Path) -> None:
    rows = [{"text": "one\u2028two\r\nthree\x85four\n"}, {"text": "Zuñiga", "number": 1}]
    write_lines(tmp_path / "rows.jsonl", rows)
    assert list(read_lines(tmp_path / "rows.jsonl", code="rows", mend="")) == rows
    assert "Zuñiga" in (tmp_path / "rows.jsonl").read_text("utf-8")


def test_empty_lines_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'\n{"a": 1}\r\n  \n{"a": 2}')
    assert list(read_lines(tmp_path / "rows.jsonl", code="rows", mend="")) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{broken", "at character 2"),
        (b'{"a": "\xff"}', "can't decode byte 0xff"),
        (b"[1, 2]", "no object"),
        (b'{"a": ' + b"[" * 100_000, "recursion"),
    ],
)
def test_a_line_that_is_no_object_is_named_with_its_number_after_the_good_ones(tmp_path: Path, line: bytes, problem: str) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'{"a": 1}\n\n' + line + b'\n{"a": 2}\n')
    rows = read_lines(tmp_path / "rows.jsonl", code="rows", mend="Write them again.")
    assert next(rows) == {"a": 1}
    with pytest.raises(InputError) as told:
        next(rows)
    assert (told.value.code, told.value.where, told.value.mend) == ("rows", "rows.jsonl, line 3", "Write them again.")
    assert "rows.jsonl" in told.value.message and problem in told.value.message


def test_a_file_that_is_not_there_is_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        list(read_lines(tmp_path / "rows.jsonl", code="rows", mend="Write them."))
    assert told.value.where == "rows.jsonl" and told.value.code == "rows" and "No such file" in told.value.message
