"""A document as it is read: pages, passages, marks; every character shown once."""

import pytest

from retrieval.models import Chunk, DocumentVersion
from retrieval.reader import LONGEST, marked_words, rows_of, window_at, windows_of


def shown(rows: list[object]) -> str:
    return "".join(piece.text for row in rows for piece in row.pieces)  # type: ignore[attr-defined]


def test_a_page_a_window() -> None:
    windows = windows_of(DocumentVersion(page_starts=[0, 10, 20]), "x" * 30)
    assert [(window.start, window.end, window.page) for window in windows] == [(0, 10, 1), (10, 20, 2), (20, 30, 3)]
    assert window_at(windows, 10).page == 2 and window_at(windows, 30).page == 3


def test_long_texts_are_cut_at_paragraphs_and_nothing_is_lost() -> None:
    text = ("word " * 300 + "\n\n") * 40
    windows = windows_of(DocumentVersion(page_starts=[]), text)
    assert len(windows) > 3 and all(window.end - window.start <= LONGEST for window in windows)
    assert "".join(text[window.start : window.end] for window in windows) == text
    assert all(text[window.end - 2 : window.end] == "\n\n" for window in windows[:-1])


@pytest.mark.parametrize("text", ["", "x", "x" * (3 * LONGEST)])
def test_any_text_has_windows(text: str) -> None:
    windows = windows_of(DocumentVersion(page_starts=[0]), text)
    assert windows and windows[-1].end == len(text)


def test_overlapping_passages_show_no_text_twice() -> None:
    text = "abcdefghijklmnopqrst"
    chunks = [Chunk(ordinal=0, start=2, end=10), Chunk(ordinal=1, start=8, end=16)]
    (window,) = windows_of(DocumentVersion(page_starts=[]), text)
    rows = rows_of(text, window, chunks)
    assert shown(rows) == text  # type: ignore[arg-type]
    assert [row.chunk.ordinal if row.chunk else None for row in rows] == [None, 0, 1, None]


def test_a_cited_span_over_two_passages_is_marked_in_both_and_scrolled_to_once() -> None:
    text = "abcdefghijklmnopqrst"
    chunks = [Chunk(ordinal=0, start=0, end=10), Chunk(ordinal=1, start=10, end=20)]
    (window,) = windows_of(DocumentVersion(page_starts=[]), text)
    rows = rows_of(text, window, chunks, (8, 12))
    marked = [piece for row in rows for piece in row.pieces if piece.marked]
    assert "".join(piece.text for piece in marked) == "ijkl" and [piece.first for piece in marked] == [True, False]
    assert shown(rows) == text  # type: ignore[arg-type]


def test_words_are_marked_in_their_forms_and_plain_ones_are_not() -> None:
    pieces = marked_words("The generators are generating __init__ things.", "what is generator __init__")
    assert [piece.text for piece in pieces if piece.marked] == ["generators", "generating", "init__"] or [
        piece.text for piece in pieces if piece.marked
    ] == ["generators", "generating", "init"]
    assert "".join(piece.text for piece in pieces) == "The generators are generating __init__ things."


@pytest.mark.parametrize("query", ["", "the of", "((", "[a-", "a" * 300])
def test_marking_survives_any_query(query: str) -> None:
    assert "".join(piece.text for piece in marked_words("a (b) [c-", query)) == "a (b) [c-"
