"""The kinds of file the studio reads, as data. Light: the web side imports it for its upload form."""

from dataclasses import dataclass
from typing import Literal

Family = Literal["text", "pdf", "zip", "html", "rtf", "mail"]

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True)
class FileType:
    """``family`` says how a file is recognised and read; ``label`` is what people call it."""

    extension: str
    media_type: str
    family: Family
    label: str
    member: str = ""  # an entry that every zip file of this type has, or the start of one


_OOXML = "application/vnd.openxmlformats-officedocument."
FILE_TYPES: dict[str, FileType] = {
    kind.extension: kind
    for kind in (
        FileType(".md", "text/markdown", "text", "Markdown"),
        FileType(".markdown", "text/markdown", "text", "Markdown"),
        FileType(".txt", "text/plain", "text", "plain text"),
        FileType(".rst", "text/x-rst", "text", "reStructuredText"),
        FileType(".html", "text/html", "html", "web page"),
        FileType(".htm", "text/html", "html", "web page"),
        FileType(".csv", "text/csv", "text", "CSV table"),
        FileType(".pdf", "application/pdf", "pdf", "PDF"),
        FileType(".docx", _OOXML + "wordprocessingml.document", "zip", "Word document", "word/"),
        FileType(".pptx", _OOXML + "presentationml.presentation", "zip", "PowerPoint presentation", "ppt/"),
        FileType(".xlsx", _OOXML + "spreadsheetml.sheet", "zip", "Excel workbook", "xl/"),
        FileType(".odt", "application/vnd.oasis.opendocument.text", "zip", "OpenDocument text", "content.xml"),
        FileType(".epub", "application/epub+zip", "zip", "EPUB book", "META-INF/container.xml"),
        FileType(".rtf", "application/rtf", "rtf", "rich text"),
        FileType(".eml", "message/rfc822", "mail", "e-mail"),
    )
}

# What a file really is, by its first bytes; for the sentence that tells a wrong extension.
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF"),
    (ZIP, "a zip archive or Office file"),
    (b"PK\x05\x06", "an empty zip archive"),
    (OLE, "an old or encrypted Office file"),
    (b"{\\rtf", "a rich text file"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
)
MAGIC_OF: dict[Family, bytes] = {"pdf": b"%PDF-", "zip": ZIP, "rtf": b"{\\rtf"}
BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def extension_of(name: str) -> str:
    """The lower-case extension of ``name`` with its dot, or an empty string."""
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def file_type(name: str) -> FileType | None:
    """The type that ``name`` claims by its extension."""
    return FILE_TYPES.get(extension_of(name))


def really_is(head: bytes) -> str:
    """What the first bytes say, in words; empty when they say nothing."""
    for magic, label in MAGIC:
        if head.startswith(magic) and (magic != b"MZ" or b"\x00" in head):
            return label
    return "binary data" if b"\x00" in head and not head.startswith(BOMS) else ""


def labels() -> str:
    """Every extension, for help texts and messages."""
    return ", ".join(FILE_TYPES)
