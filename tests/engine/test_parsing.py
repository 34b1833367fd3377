"""Reading one file: the child process may hang, eat memory or die, and the next file is read all the same."""

import io
from pathlib import Path

import pypdf
import pytest
from reportlab.pdfgen import canvas

from engine.lib.cleaning import clean, pages_joined, unescape, unwrap_page
from engine.lib.parsing import Parser
from engine.lib.upload_checks import HEAD_BYTES, check_upload


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.txt"
    path.write_text("A good file is read whatever came before it.", "utf-8")
    return path


def test_a_file_that_takes_too_long_is_ended_and_the_next_is_read(tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Parser(seconds=60, memory_bytes=1 << 30) as parser:
        assert parser.parse(good, "good.txt").error is None
        fifo = tmp_path / "never.txt"
        import os

        os.mkfifo(fifo)  # reading it never ends
        parser._seconds = 0.5
        error = parser.parse(fifo, "never.txt").error
        assert error is not None and error.code == "timeout" and "0.5 seconds" in error.message
        parser._seconds = 60
        assert parser.parse(good, "good.txt").error is None


def test_a_file_that_needs_too_much_memory_fails_alone(tmp_path: Path, good: Path) -> None:
    big = tmp_path / "big.txt"
    with open(big, "wb") as file:
        file.truncate(900 << 20)
    with Parser(seconds=60, memory_bytes=800 << 20) as parser:
        error = parser.parse(big, "big.txt").error
        assert error is not None and error.code in ("memory", "crashed")
        assert parser.parse(good, "good.txt").error is None


def test_a_parser_that_was_killed_is_started_again(good: Path) -> None:
    with Parser(seconds=60, memory_bytes=1 << 30) as parser:
        parser.parse(good, "good.txt")
        assert parser._process is not None
        parser._process.kill()
        parser._process.wait()
        assert parser.parse(good, "good.txt").text.startswith("A good file")


def test_the_parser_sees_no_secret_of_the_studio(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden")
    with Parser(seconds=60, memory_bytes=1 << 30) as parser:
        parser.parse(good, "good.txt")
        assert parser._process is not None
        assert b"hidden" not in Path(f"/proc/{parser._process.pid}/environ").read_bytes()


def pdf(**passwords: str) -> bytes:
    """A PDF about encryption, with ``user_password`` and ``owner_password`` where they are given."""
    buffer, out = io.BytesIO(), io.BytesIO()
    sheet = canvas.Canvas(buffer, pageCompression=0)
    sheet.drawString(72, 760, "The trailer names the /Encrypt dictionary.")
    sheet.save()
    writer = pypdf.PdfWriter(clone_from=buffer)
    if passwords:
        writer.encrypt(**passwords)
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize("passwords", [{}, {"user_password": "", "owner_password": "secret"}])
def test_a_pdf_that_opens_without_a_password_is_taken_and_read(passwords: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "about.pdf"
    path.write_bytes(pdf(**passwords))
    assert check_upload("about.pdf", path.stat().st_size, path.read_bytes()[:HEAD_BYTES], lambda: path.open("rb")) is None
    with Parser(seconds=60, memory_bytes=2 << 30) as parser:
        assert "/Encrypt dictionary" in parser.parse(path, "about.pdf").text


def test_a_pdf_that_asks_for_a_password_is_said_to(tmp_path: Path) -> None:
    path = tmp_path / "locked.pdf"
    path.write_bytes(pdf(user_password="secret"))
    with Parser(seconds=60, memory_bytes=2 << 30) as parser:
        error = parser.parse(path, "locked.pdf").error
    assert error is not None and error.code == "encrypted" and "password" in error.mend


@pytest.mark.parametrize("name", ["../x.txt", "a/b.txt", "a\\b.txt", "..", "", "x\u202etxt.md", "x\0.txt", "é" * 200 + ".txt"])
def test_a_name_that_is_no_plain_file_name_is_refused(name: str, good: Path) -> None:
    problem = check_upload(name, 4, b"abcd", lambda: good.open("rb"))
    assert problem is not None and problem.code == "bad_name"


@pytest.mark.parametrize("name", ["notes.md", "Vertrag (2).txt", "tab.le.csv", "a…b.MD"])
def test_an_ordinary_upload_is_taken(name: str, good: Path) -> None:
    assert check_upload(name, 4, b"abcd", lambda: good.open("rb")) is None


def test_pdf_lines_become_paragraphs_headings_and_items() -> None:
    page = (
        "Return of goods\nThe customer may send the goods back within fourteen days of their deli-\n"
        "very and need not say why this is done by\n"
        "him.\n• first the form\n• then the parcel\nPayment\n"
        "The price is paid on delivery, in cash or by card, as the customer wishes it to be."
    )
    made = unwrap_page(page)
    assert made.startswith("## Return of goods\n\nThe customer may send")
    assert "- first the form\n\n- then the parcel" in made and "## Payment" in made


def test_a_sentence_over_the_edge_of_a_page_stays_one() -> None:
    text, starts = pages_joined(["The end of this", "sentence is here.", "New page."])
    assert text == "The end of this sentence is here.\n\nNew page." and starts == [0, 16, 35]


def test_cleaning_takes_out_what_nobody_sees() -> None:
    assert clean("a\u00a0b\u200b\r\nc  \n\n\n\nd\x00") == "a b\nc\n\nd"
    assert unescape("1 \\< 2\n```\n\\<\n```\n") == "1 < 2\n```\n\\<\n```\n"
