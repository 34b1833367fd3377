"""Is this file one we can take? Answered from its name, size and first bytes, before any parser sees it.

Light and without state, so that the web upload and the ingest stage ask the same questions.
"""

import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import BinaryIO

from engine.lib.filetypes import BOMS, MAGIC_OF, OLE, FileType, file_type, labels, really_is

MAX_BYTES = 100 * 2**20
HEAD_BYTES = 8192  # how much of the file's start a caller should hand over
ZIP_MAX_ENTRIES = 10_000
ZIP_MAX_TOTAL = 500 * 2**20  # unpacked
ZIP_MAX_RATIO = 120  # unpacked to packed; ordinary Office files stay below 30
ZIP_RATIO_FROM = 5 * 2**20  # below this a high ratio is harmless


@dataclass(frozen=True)
class Problem:
    """Why a file was refused: a stable ``code``, what is wrong, and what to do about it."""

    code: str
    message: str
    mend: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def check_upload(
    name: str, size: int, head_bytes: bytes, open_file: Callable[[], BinaryIO], *, max_bytes: int = MAX_BYTES
) -> Problem | None:
    """The first problem of the file, or None.

    ``head_bytes`` are its first ``HEAD_BYTES``; ``open_file`` opens it for reading and seeking and is called only for zip files.
    Whether a PDF opens without a password only its parser can tell.
    """
    if problem := check_name(name):
        return problem
    kind = file_type(name)
    if kind is None:
        return Problem("unsupported_type", f"“{name}” is of a type the studio does not read.", f"Convert it to one of {labels()}.")
    if size == 0:
        return Problem("empty_file", f"“{name}” is empty: it has no bytes at all.", "Upload the file again from its source.")
    if size > max_bytes:
        return Problem(
            "too_large",
            f"“{name}” has {size / 2**20:.0f} MB; the limit is {max_bytes / 2**20:.0f} MB.",
            "Split it into smaller files.",
        )
    if problem := _check_content(name, kind, head_bytes):
        return problem
    if kind.family == "zip":
        with open_file() as file:
            return check_zip(name, kind, file)
    return None


def check_name(name: str) -> Problem | None:
    """A name must be a plain file name: no folders, no way out of one, nothing invisible."""
    mend = "Rename the file and upload it again."
    if not name.strip() or name.strip(". ") == "":
        return Problem("bad_name", "The file has no name.", mend)
    if "/" in name or "\\" in name or name.startswith(".."):
        return Problem("bad_name", f"“{name}” is not a plain file name: it names a folder.", mend)
    if any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069 for c in name):
        return Problem("bad_name", "The file's name holds invisible control characters.", mend)
    if len(name.encode()) > 255:
        return Problem("bad_name", "The file's name is longer than 255 bytes.", mend)
    return None


def encrypted(name: str) -> Problem:
    return Problem(
        "encrypted", f"“{name}” is protected by a password.", "Remove the password (save a copy without it) and upload the copy."
    )


def damaged(name: str, kind: FileType) -> Problem:
    return Problem(
        "damaged",
        f"“{name}” is damaged: it cannot be read as {kind.label}.",
        "Open it in its own program, save a new copy, and upload that.",
    )


def _check_content(name: str, kind: FileType, head: bytes) -> Problem | None:
    found = really_is(head)
    wanted = MAGIC_OF.get(kind.family)
    if kind.family == "zip" and head.startswith(OLE):
        return encrypted(name)  # Office wraps an encrypted docx or xlsx in its old container
    if wanted is not None:
        # PDF readers accept a little rubbish before the header
        matches = wanted in head[:1024] if kind.family == "pdf" else head.startswith(wanted)
    else:
        matches = not found or head.startswith(BOMS)
    if matches:
        return None
    found = found or "plain text or something unknown"
    return Problem(
        "wrong_extension",
        f"“{name}” ends like {kind.label}, but its content is {found}.",
        "Give the file its right extension, or export it again.",
    )


def check_zip(name: str, kind: FileType, file: BinaryIO) -> Problem | None:
    """Judge an Office file or book by its central directory alone; nothing is unpacked."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return damaged(name, kind)
    total = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    bomb = len(entries) > ZIP_MAX_ENTRIES or total > ZIP_MAX_TOTAL or (total > ZIP_RATIO_FROM and total > ZIP_MAX_RATIO * max(packed, 1))
    if bomb:
        return Problem(
            "zip_bomb",
            f"“{name}” would unpack to {total / 2**20:.0f} MB in {len(entries)} parts, {total // max(packed, 1)} times its size. "
            "It was not opened.",
            "Save the document again without embedded files, or split it.",
        )
    if any(entry.flag_bits & 0x1 for entry in entries):
        return encrypted(name)
    if any(entry.filename.startswith(("/", "\\")) or ".." in entry.filename.replace("\\", "/").split("/") for entry in entries):
        return Problem(
            "unsafe_archive", f"“{name}” holds a part that points outside the file.", "Save the document again in its own program."
        )
    if not any(entry.filename.startswith(kind.member) for entry in entries):
        return Problem(
            "wrong_extension",
            f"“{name}” ends like {kind.label}, but is another kind of zip archive.",
            "Give the file its right extension, or upload the files inside the archive one by one.",
        )
    return None
