"""Tables as CSV."""

import csv

import pytest

from projects.spreadsheets import csv_download


def rows_of(*rows: list[object]) -> list[list[str]]:
    body = b"".join(csv_download("table", ["a", "b"], rows).streaming_content).decode()  # type: ignore[arg-type]
    return list(csv.reader(body.splitlines()))[1:]


@pytest.mark.parametrize("text", ["=SUM(A1)", "+1", "-1", "@cmd", "\t=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert rows_of([text, 1]) == [[f"'{text}", "1"]]


def test_numbers_nothing_and_empty_texts_stay_what_they_are() -> None:
    assert rows_of(["", None], [-1.5, "a, b"]) == [["", ""], ["-1.5", "a, b"]]
