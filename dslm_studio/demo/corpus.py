"""The demo's documents: the Python language reference, which every Python carries as ``pydoc_data.topics``.

Most topics become a Markdown file each; a few are bound into one PDF, so that more than one parser has work.
"""

import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from dslm_studio.demo.rest_text import to_markdown

PDF_NAME = "python-objects-names-and-import.pdf"
PDF_TITLE = "Python: objects, names, import and assignment"
PDF_TOPICS = ("objects", "execmodel", "import", "assignment")


def topics() -> dict[str, str]:
    """Topic → its text, by name."""
    from pydoc_data.topics import topics as found

    return {name: found[name] for name in sorted(found)}


def write(folder: Path) -> list[Path]:
    """Write the corpus into ``folder`` and return the files in order of name. The same bytes on every call."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = topics()
    written = []
    for name, text in texts.items():
        if name not in PDF_TOPICS:
            path = folder / f"{name}.md"
            path.write_text(to_markdown(text), "utf-8")
            written.append(path)
    path = folder / PDF_NAME
    write_pdf(path, [to_markdown(texts[name]) for name in PDF_TOPICS if name in texts])
    return sorted([*written, path])


def write_pdf(path: Path, chapters: list[str]) -> None:
    """Set Markdown ``chapters`` as one PDF, each from a new page."""
    from reportlab.lib.enums import TA_LEFT
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, Preformatted, SimpleDocTemplate, Spacer

    styles = getSampleStyleSheet()
    body = ParagraphStyle("prose", parent=styles["BodyText"], alignment=TA_LEFT, fontSize=10, leading=13, spaceAfter=5)
    story: list[Any] = [Paragraph(escape(PDF_TITLE), styles["Title"]), Spacer(1, 12)]
    for number, chapter in enumerate(chapters):
        if number:
            story.append(PageBreak())
        for block in _split(chapter):
            if heading := re.match(r"(#+) (.*)", block):
                style = styles[f"Heading{min(len(heading.group(1)), 4)}"]
                story.append(Paragraph(escape(_plain(heading.group(2))), style))
            elif fence := re.match(r"```\w*\n(.*)\n```$", block, re.DOTALL):
                story.append(Preformatted(_latin(fence.group(1)), styles["Code"]))
            else:
                story.append(Paragraph(escape(_plain(block)), body))
    SimpleDocTemplate(
        str(path), pagesize=A4, title=PDF_TITLE, author="Python Software Foundation", invariant=1, leftMargin=64, rightMargin=64
    ).build(story)


def _split(markdown: str) -> list[str]:
    """Blocks of ``markdown``; a fenced block stays whole."""
    return [block.strip("\n") for block in re.findall(r"```.*?\n```|(?:(?!\n\n|```).)+", markdown, re.DOTALL) if block.strip()]


def _plain(text: str) -> str:
    """Paragraph text as it is set: no Markdown marks, and only characters that the PDF's standard fonts have."""
    text = re.sub(r"^- ", "• ", re.sub(r"`([^`]*)`", r"\1", text))
    return _latin(re.sub(r"(?<![\w*])(\*\*?)([^*\s][^*\n]*)\1(?!\w)", r"\2", text))


def _latin(text: str) -> str:
    return text.encode("cp1252", "replace").decode("cp1252")
