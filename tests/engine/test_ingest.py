"""Ingest by its real command and with the real embedding server: good documents, and every way in which one can be bad."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pytest
from reportlab.pdfgen import canvas

from engine import manifest
from engine.stages import ingest
from tests.engine.ingest_kit import documents_artifact, embedding_server, lines_of, run_stage

GUIDE = (
    "# Cleaning hands\n\nStaff must clean their hands before they touch a patient.\n\n"
    "## Gloves\n\nGloves are no substitute for clean hands. A pair of gloves is used for one patient only.\n"
)


def pdf(*pages: str, password: str = "") -> bytes:
    buffer = io.BytesIO()
    sheet = canvas.Canvas(buffer, invariant=1)
    for page in pages:
        for number, line in enumerate(page.split("\n")):
            sheet.drawString(72, 760 - 16 * number, line)
        sheet.showPage()
    sheet.save()
    if not password:
        return buffer.getvalue()
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(buffer.getvalue()))
    writer.encrypt(password)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def zipped(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


DOCX = zipped(
    {
        "[Content_Types].xml": b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        b'<Override PartName="/word/document.xml" '
        b'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
        "_rels/.rels": b'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        b'<Relationship Id="r1" '
        b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
        b'Target="word/document.xml"/></Relationships>',
        "word/document.xml": b'<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        b"<w:body><w:p><w:r>"
        b"<w:t>The supplier delivers the goods within ten days.</w:t></w:r></w:p></w:body></w:document>",
    }
)
PAGE = "The warranty lasts for two years from the day of delivery.\nIt covers every part except the battery."
GERMAN = "Die Prüfung der Anträge dauert höchstens drei Wochen, außer an Feiertagen im März. Größere Beträge prüft die Behörde."
GOOD: dict[str, bytes] = {
    "guide.md": GUIDE.encode(),
    "warranty.pdf": pdf(PAGE, "", "Repairs are free of charge within that time.\nThe customer pays for sending the goods."),
    "contract.docx": DOCX,
    "page.html": b"<html><head><title>T</title></head><body><h1>Opening hours</h1><p>The library opens at nine.</p></body></html>",
    "latin.txt": GERMAN.encode("cp1252"),
    "copy of guide.md": GUIDE.encode(),
}
BAD: dict[str, tuple[bytes, str]] = {
    "empty.txt": (b"", "empty_file"),
    "empty.pdf": (b"", "empty_file"),
    "locked.pdf": (pdf(PAGE, password="x"), "encrypted"),
    "really a picture.pdf": (b"\x89PNG\r\n\x1a\n" + b"\0" * 200, "wrong_extension"),
    "really a pdf.md": (pdf(PAGE), "wrong_extension"),
    "really a zip.docx": (zipped({"a.txt": b"hello"}), "wrong_extension"),
    "locked.docx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "encrypted"),
    "bomb.docx": (zipped({"word/document.xml": b"\0" * (64 << 20)}), "zip_bomb"),
    "torn.docx": (DOCX[:300], "damaged"),
    "torn.pdf": (b"%PDF-1.4\n" + b"rubbish " * 40, "damaged"),
    "huge.txt": (b"many words " * 300_000, "too_large"),
    "scanned.pdf": (pdf("", ""), "no_text"),
    "blank.md": (b"  \n\n  \n", "no_text"),
    "headings.md": (b"# Pumps\n\n## Valves\n", "no_text"),
    "program.exe": (b"MZ\0\0", "unsupported_type"),
    "../../etc/passwd.txt": (b"root", "bad_name"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    with embedding_server() as environment:
        yield environment


@pytest.fixture(scope="module")
def made(server: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """One run over all good and bad documents: the ``chunks`` artifact and the events."""
    base = tmp_path_factory.mktemp("ingest")
    documents = documents_artifact(base / "documents", GOOD | {name: data for name, (data, _) in BAD.items()})
    code, events = run_stage(base / "run", "ingest", {"documents": documents}, {"max_megabytes": 2}, server)
    assert code == 0, events[-1]
    return base / "run" / "outputs" / "chunks", events


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_fails_alone_with_a_message_on_its_own_row(made: tuple[Path, list[Any]], name: str) -> None:
    row = next(row for row in lines_of(made[0] / "documents.jsonl") if row["name"] == name)
    assert row["status"] == "failed" and row["error"]["code"] == BAD[name][1], row["error"]
    assert row["error"]["message"] and row["error"]["mend"] and row["text_file"] is None
    assert "Traceback" not in row["error"]["message"]
    assert any(event.type == "warning" and event.data["where"] == name for event in made[1])


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_beside_bad_ones_is_read(made: tuple[Path, list[Any]], name: str) -> None:
    row = next(row for row in lines_of(made[0] / "documents.jsonl") if row["name"] == name)
    assert row["status"] == "ok" and row["characters"] > 20 and row["title"]


def test_the_artifact_keeps_its_promises(made: tuple[Path, list[Any]]) -> None:
    folder, events = made
    manifest.verify(folder)
    rows = {row["version"]: row for row in lines_of(folder / "documents.jsonl")}
    chunks = lines_of(folder / "chunks.jsonl")
    for chunk in chunks:
        row = rows[chunk["version"]]
        text = (folder / row["text_file"]).read_bytes().decode()
        assert text[chunk["start"] : chunk["end"]] == chunk["text"] and chunk["tokens"] <= 254
        assert row["page_starts"][chunk["page"] - 1] <= chunk["start"] and chunk["page"] <= chunk["page_end"] <= row["pages"]
    vectors = np.load(folder / "vectors.npy")
    assert vectors.dtype == np.float32 and vectors.shape == (len(chunks), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert {event.data["name"] for event in events if event.type == "phase"} == {"parse", "chunk", "embed"}
    assert events[-1].data["summary"]["failed"] == len(BAD)


def test_a_chunk_knows_its_headings_and_page(made: tuple[Path, list[Any]]) -> None:
    chunks = lines_of(made[0] / "chunks.jsonl")
    gloves = next(chunk for chunk in chunks if "one patient only" in chunk["text"])
    assert gloves["headings"] == ["Cleaning hands", "Gloves"]
    repairs = next(chunk for chunk in chunks if "free of charge" in chunk["text"])
    assert repairs["page_end"] == 3


def test_findings_name_duplicates_empty_pages_and_a_guessed_encoding(made: tuple[Path, list[Any]]) -> None:
    rows = {row["name"]: row for row in lines_of(made[0] / "documents.jsonl")}
    assert [finding["code"] for finding in rows["copy of guide.md"]["findings"]] == ["duplicate"]
    assert [(finding["code"], finding["pages"]) for finding in rows["warranty.pdf"]["findings"]] == [("empty_pages", [2])]
    assert rows["latin.txt"]["findings"][0]["code"] == "encoding"
    assert "Prüfung der Anträge" in (made[0] / rows["latin.txt"]["text_file"]).read_text("utf-8")


@pytest.mark.parametrize("content", [b"", b"# A heading alone\n"])
def test_nothing_readable_is_told_as_wrong_input(tmp_path: Path, content: bytes) -> None:
    documents = documents_artifact(tmp_path / "documents", {"a.md": content})
    code, events = run_stage(tmp_path / "run", "ingest", {"documents": documents})
    assert code == 20 and events[-1].type == "error" and events[-1].data["mend"]


def test_a_name_with_a_line_separator_inside_does_not_break_the_list(tmp_path: Path) -> None:
    row = {"id": "d", "version": "v", "name": "a\u2028b.txt", "file": "files/0"}
    (tmp_path / "documents.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n", "utf-8")
    assert ingest.read_documents(tmp_path) == [row]


def test_an_unreachable_embedder_is_told_as_wrong_input(tmp_path: Path) -> None:
    documents = documents_artifact(tmp_path / "documents", {"guide.md": GUIDE.encode()})
    code, events = run_stage(tmp_path / "run", "ingest", {"documents": documents}, {}, {"STUDIO_EMBEDDINGS_URL": ""})
    assert code == 20 and events[-1].data["code"] == "endpoint"
