"""Wikis: MediaWiki's XML export, and a zip of HTML pages as Confluence exports a space."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError, iterparse

from engine.lib.source_texts.text import SourceError, SourceText, file_name, markdown

PAGE_LIMIT = 5 * 2**20  # bytes of one page
TOTAL_LIMIT = 500 * 2**20  # bytes that a zip may unpack to
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_LEFT_OUT = re.compile(r"<!--.*?-->|<ref\b[^>]*/>|<ref\b.*?</ref>|<gallery\b.*?</gallery>|__[A-Z]+__", re.DOTALL)
_FILES = re.compile(
    r"\[\[(?:File|Image|Category|Datei|Bild|Kategorie|Fichier|Catégorie)\s*:(?:[^\[\]]|\[\[[^\[\]]*\]\])*\]\]", re.IGNORECASE
)
_TABLE = re.compile(r"^\s*(\{\||\|\}|\|-).*$", re.MULTILINE)


def media_wiki(path: Path) -> Iterator[SourceText]:
    """Each article of an export with its latest text; talk, user and other pages are left out. Raises ``SourceError``."""
    try:
        for _, element in iterparse(path, events=("end",)):
            if _plain(element.tag) != "page":
                continue
            values = {_plain(child.tag): child for child in element.iter()}  # of several revisions the last one
            title, text = (values[name].text or "" if name in values else "" for name in ("title", "text"))
            if (values["ns"].text if "ns" in values else "0") == "0" and "redirect" not in values and text.strip():
                yield markdown(title, wikitext(text))
            element.clear()
    except ParseError as error:
        mend = "Export the pages again (Special:Export), and upload the XML file as it is."
        raise SourceError(f"This is no whole XML export of a wiki: {error}.", mend) from error


def _plain(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def wikitext(text: str) -> str:
    """Wiki markup as Markdown: headings, lists and words stay, templates, files and footnotes go."""
    import mwparserfromhell

    text = _FILES.sub("", _LEFT_OUT.sub("", text))
    text = re.sub(r"^(=+)\s*(.+?)\s*\1\s*$", lambda found: f"\n{'&#35;' * len(found[1])} {found[2]}\n", text, flags=re.MULTILINE)
    text = re.sub(r"^[*#:;]+ *", lambda found: "  " * (len(found[0].strip()) - 1) + "- ", text, flags=re.MULTILINE)
    text = _TABLE.sub("", text)
    text = re.sub(r"^\s*[|!]\+?\s*", "", text, flags=re.MULTILINE)
    text = re.sub(r"\s*(?:\|\||!!)\s*", " | ", text)
    plain = str(mwparserfromhell.parse(text).strip_code(normalize=True, collapse=False))
    return re.sub(r"\n{3,}", "\n\n", plain).strip()


def html_zip(path: Path) -> Iterator[SourceText]:
    """Each HTML page of the archive under its title. Raises ``SourceError`` for a damaged archive, or one that unpacks to too much."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.lower().endswith((".html", ".htm"))]
            if sum(entry.file_size for entry in entries) > TOTAL_LIMIT:
                raise SourceError("This archive would unpack to more than 500 MB. It was not opened.", "Export the space in parts.")
            for entry in entries:
                if entry.filename.rsplit("/", 1)[-1].lower() in ("index.html", "index.htm") or entry.file_size > PAGE_LIMIT:
                    continue  # a list of the others; no page that somebody wrote
                content = archive.read(entry)
                found = _TITLE.search(content)
                title = found[1].decode("utf-8", "replace") if found else Path(entry.filename).stem
                yield SourceText(f"{file_name(title.split(' : ', 1)[-1])}.html", content)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise SourceError(f"This archive cannot be read: {error}.", "Export it again, without a password.") from error
