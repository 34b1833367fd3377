"""Documents from what is no file of one: a pasted text, a wiki's export, a log of tickets, the result of a query."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile

from engine.lib.upload_checks import HEAD_BYTES, check_name, really_is
from projects.models import Project, User
from retrieval.services.uploading import UploadResult, documents_upload
from runs.environment import PASSED_ON

ZIP = b"PK\x03\x04"
PATIENCE = 120  # seconds that cutting a source may take


class SourceRefused(Exception):
    """A source cannot be made into documents. ``mend`` says what to do."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.mend = mend


@dataclass(frozen=True)
class SourceKind:
    """A sort of source: how it is called, what it is, and which files hold it."""

    key: str
    title: str
    about: str
    extensions: tuple[str, ...]


TABLE = (".csv", ".tsv", ".json", ".jsonl", ".xlsx")
SOURCES: dict[str, SourceKind] = {
    kind.key: kind
    for kind in (
        SourceKind("media_wiki", "MediaWiki export", "The XML of Special:Export. Each article becomes a document.", (".xml",)),
        SourceKind("html_zip", "Confluence or other HTML pages in a zip", "Each page becomes a document.", (".zip",)),
        SourceKind(
            "conversations", "Ticket or chat log",
            "A row a message, with its ticket or thread, who wrote it and the text. Each conversation becomes a document.", TABLE,
        ),
        SourceKind("table_rows", "Result of a database query", "With the names of the columns. Each row becomes a section.", TABLE),
    )
}  # fmt: skip


def text_add(*, project: Project, by: User, title: str, text: str) -> UploadResult:
    """A pasted text as a Markdown document called ``title``."""
    name = " ".join(title.replace("/", " ").replace("\\", " ").split())[:120].strip(" .")
    content = f"# {name}\n\n{text.strip()}\n".replace("\r\n", "\n")
    (result,) = documents_upload(project=project, files=[ContentFile(content.encode(), name=f"{name}.md")], by=by)
    return result


def source_add(*, project: Project, by: User, kind: SourceKind, file: File) -> list[UploadResult]:
    """The documents that ``file`` holds, uploaded one by one. Raises ``SourceRefused`` where nothing can be made of it."""
    name = file.name or ""
    _check(kind, name, file)
    with tempfile.TemporaryDirectory(prefix="source-", dir=settings.FILE_UPLOAD_TEMP_DIR) as place:
        source, folder = Path(place) / "in" / name, Path(place) / "out"
        source.parent.mkdir()
        folder.mkdir()
        with open(source, "wb") as target:
            for part in file.chunks():
                target.write(part)
        names = _split(kind, source, folder)
        return documents_upload(project=project, files=[folder / one for one in names], by=by)


def _check(kind: SourceKind, name: str, file: File) -> None:
    problem = check_name(name)
    if problem:
        raise SourceRefused(problem.message, problem.mend)
    ending = Path(name).suffix.lower()
    if ending not in kind.extensions:
        raise SourceRefused(f"“{name}” is no file of this sort.", f"Choose a file that ends in {', '.join(kind.extensions)}.")
    size = file.size or 0
    if size > settings.UPLOAD_MAX_BYTES:
        limit = settings.UPLOAD_MAX_BYTES / 2**20
        raise SourceRefused(f"“{name}” has {size / 2**20:.0f} MB; the limit is {limit:.0f} MB.", "Export it in parts.")
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if ending in (".zip", ".xlsx") and not head.startswith(ZIP):
        raise SourceRefused(f"“{name}” is {really_is(head) or 'no archive'}.", "Give it its right extension, or export it again.")


def _split(kind: SourceKind, source: Path, folder: Path) -> list[str]:
    """The names of the documents, cut in a process of its own: what is in the file comes from outside."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {"PYTHONPATH": str(settings.BASE_DIR)}
    command = [sys.executable, "-m", "engine.lib.source_split", kind.key, str(source), str(folder)]
    try:
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, timeout=PATIENCE, check=True)
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise SourceRefused(f"Reading it took longer than {PATIENCE} seconds.", "Export it in parts.") from None
    except (subprocess.CalledProcessError, ValueError) as error:
        raise SourceRefused("The program that reads it broke off.", "Export it again; if that does not help, in parts.") from error
    if "problem" in answer:
        raise SourceRefused(str(answer["problem"]["message"]), str(answer["problem"]["mend"]))
    return [str(name) for name in answer["files"]]
