"""python -m engine.lib.parse_worker: reads one file after another for ``engine.lib.parsing``, in a process that may die.

One JSON line in, one out. Memory is limited from the outside environment; time is watched by the parent, which kills.
"""

import json
import os
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from engine.lib.cleaning import clean, pages_joined, unescape, unwrap_page, words_of
from engine.lib.filetypes import FILE_TYPES

MEMORY_VARIABLE = "STUDIO_PARSE_MEMORY"
LANGUAGE_SAMPLE = 6000  # characters that are looked at for the language
NO_TEXT_BELOW = 3  # letters and digits in the whole document


class Unreadable(Exception):
    """The file cannot be read, in a way that can be told to its owner."""

    def __init__(self, code: str, message: str, mend: str) -> None:
        super().__init__(message)
        self.answer = {"code": code, "message": message, "mend": mend}


def parse(path: Path, name: str, extension: str) -> dict[str, Any]:
    """``{"text", "page_starts", "title", "language", "findings"}`` of the file. Raises ``Unreadable``."""
    kind = FILE_TYPES[extension]
    findings: list[dict[str, Any]] = []
    title = ""
    if kind.family == "text":
        text = decode(path.read_bytes(), findings)
        pages = clean(text).split("\f")
    else:
        pages, title = _converted(path, name, kind.media_type)
        if kind.family == "pdf":
            known: Counter[str] = sum((words_of(page) for page in pages), Counter())
            pages = [unwrap_page(clean(page), known, after) for page, after in zip(pages, [*pages[1:], ""], strict=True)]
        else:
            pages = [clean(unescape(page)) for page in pages]
    empty = [number for number, page in enumerate(pages, 1) if not page.strip()]
    text, starts = pages_joined(pages) if len(pages) > 1 else (pages[0].strip("\n"), [0])
    if sum(map(str.isalnum, text[:10_000])) < NO_TEXT_BELOW:
        message = f"No text was found in “{name}”."
        if kind.family == "pdf":
            message += f" Its {len(pages)} page{'s are' if len(pages) > 1 else ' is'} probably scanned images."
        raise Unreadable("no_text", message, "Run text recognition (OCR) on it in another program and upload the result.")
    if empty and len(pages) > 1:
        shown = ", ".join(map(str, empty[:10])) + (" …" if len(empty) > 10 else "")
        findings.append({"code": "empty_pages", "message": f"No text on {len(empty)} of {len(pages)} pages: {shown}.", "pages": empty})
    return {"text": text, "page_starts": starts, "title": title, "language": _language(text), "findings": findings}


def decode(data: bytes, findings: list[dict[str, Any]]) -> str:
    """``data`` as text. What is not Unicode is guessed, and the guess is told in ``findings``."""
    for bom, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(bom):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    best = from_bytes(data[: 1 << 20]).best()
    encoding = best.encoding if best else "cp1252"
    text = data.decode(encoding, "replace")
    lost = text.count("\ufffd")
    message = f"The file is not UTF-8; it was read as {encoding}."
    if lost:
        message += f" {lost} characters could not be read."
    findings.append({"code": "encoding", "message": message, "encoding": encoding})
    return text


def _converted(path: Path, name: str, media_type: str) -> tuple[list[str], str]:
    """The pages of a PDF as plain text, or another file as Markdown; and the title it carries."""
    import kreuzberg

    paged = media_type == "application/pdf"
    config = kreuzberg.ExtractionConfig(
        use_cache=False,  # its cache lives outside the run's folder and would keep the text of erased documents
        enable_quality_processing=False,
        output_format="plain" if paged else "markdown",  # its Markdown of PDFs loses headings and invents tables
        pages=kreuzberg.PageConfig(extract_pages=True) if paged else None,
        html_options={"extract_metadata": False},
    )
    try:
        result = kreuzberg.extract_file_sync(str(path), media_type, config=config)
    except kreuzberg.KreuzbergError as error:
        told = str(error)
        if "password" in told.lower() or "encrypt" in told.lower():
            mend = "Remove the password (save a copy without it) and upload the copy."
            raise Unreadable("encrypted", f"“{name}” is protected by a password.", mend) from error
        mend = "Open it in its own program, save a new copy, and upload that."
        raise Unreadable("damaged", f"“{name}” is damaged: {_short(told)}", mend) from error
    title = str(result.metadata.get("title") or "").strip()
    if paged and result.pages:
        return [page["content"] for page in sorted(result.pages, key=lambda page: page["page_number"])], title
    return [result.content], title


def _short(message: str) -> str:
    """The first, telling part of a library's message, which repeats itself."""
    return message.split(": ", 1)[-1].split(":")[0].strip()[:160] + "."


def _language(text: str) -> str:
    """The language's ISO 639-3 code, or an empty string where it is not clear."""
    import kreuzberg

    detection = kreuzberg.LanguageDetectionConfig(enabled=True, min_confidence=0.5, detect_multiple=False)
    config = kreuzberg.ExtractionConfig(use_cache=False, enable_quality_processing=False, language_detection=detection)
    try:
        found = kreuzberg.extract_bytes_sync(text[:LANGUAGE_SAMPLE].encode(), "text/plain", config=config).detected_languages
    except kreuzberg.KreuzbergError:
        return ""
    return str(found[0]) if found else ""


def main() -> int:
    limit = int(os.environ.get(MEMORY_VARIABLE, "0"))
    if limit:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer = parse(Path(job["path"]), job["name"], job["extension"])
        except Unreadable as error:
            answer = {"error": error.answer}
        except MemoryError:
            mend = "Split the document, or raise the limit of memory for one document."
            answer = {"error": {"code": "memory", "message": f"“{job['name']}” needs more memory than a document may use.", "mend": mend}}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
