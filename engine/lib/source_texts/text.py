"""One text that a source yields."""

import re
from dataclasses import dataclass

_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069/\\:*?\"<>|]+")
NAME_LIMIT = 100  # characters


class SourceError(Exception):
    """A source cannot be read. ``mend`` says what to do."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.mend = mend


@dataclass(frozen=True)
class SourceText:
    """``name`` is fit for a file, with its extension."""

    name: str
    content: bytes


def markdown(title: str, body: str, name: str = "") -> SourceText:
    """``body`` under its ``title`` as a Markdown file called ``name``, or else as the title."""
    return SourceText(f"{file_name(name or title)}.md", f"# {one_line(title)}\n\n{body.strip()}\n".encode("utf-8", "replace"))


def one_line(text: str) -> str:
    return " ".join(text.split())


def file_name(title: str) -> str:
    """``title`` as the stem of a plain file name."""
    return one_line(_UNFIT.sub(" ", title))[:NAME_LIMIT].strip(" .") or "untitled"
