"""Parsed text made even: one kind of line end and space, paragraphs whole again, headings marked as in Markdown."""

import re
import unicodedata
from collections import Counter

_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u200d\u2060\ufeff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!<>|~])")
BULLET = re.compile(r"^\s*[•●▪◦‣·–]\s+")
NUMBERED = re.compile(r"^\s*(\d{1,3}|[a-z])[.)]\s+")
HEADING_NUMBER = re.compile(r"^\d+(\.\d+)*\.?\s+(?=[A-Z])")
_CODE_LIKE = re.compile(r"::=|[={}<>|\\;$_]|\(\w*\)|^\W|>>>")


def clean(text: str) -> str:
    """``text`` with ``\\n`` line ends, plain spaces, no invisible or control characters, no trailing white space."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\v", "\n"))
    text = _CONTROL.sub("", _SPACES.sub(" ", _INVISIBLE.sub("", text)))
    text = re.sub(r"[ \t]+(?=\n|\f|$)", "", text)
    return re.sub(r"\n{3,}", "\n\n", text)


def unescape(markdown: str) -> str:
    """Markdown as a converter writes it, without the backslashes that nobody reads. Code fences stay."""
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else _ESCAPED.sub(r"\1", part) for part in parts)


def pages_joined(pages: list[str]) -> tuple[str, list[int]]:
    """One text of the cleaned ``pages`` and the offset at which each begins. A sentence that runs over the edge stays one."""
    text, starts = "", []
    for page in pages:
        page = page.strip("\n ")
        if text and page:
            carries_on = text[-1] not in ".!?:;|`" and page[0].islower()
            text += " " if carries_on else "\n\n"
        starts.append(len(text))
        text += page
    return text, starts


def unwrap_page(page: str, known_words: Counter[str] | None = None, next_page: str = "") -> str:
    """The lines of a PDF page as paragraphs, list items and ``##`` headings.

    A line that stops well short of the page's width ends its paragraph; a short one without a full stop before a paragraph is a heading.
    """
    lines = [line.strip() for line in page.split("\n")]
    lengths = sorted(len(line) for line in lines if line)
    if not lengths:
        return ""
    width = lengths[int(len(lengths) * 0.9)] if len(lengths) > 1 else lengths[0]
    paragraphs: list[list[str]] = []
    ended = True
    for line in lines:
        if not line:
            ended = True
            continue
        starts_item = bool(BULLET.match(line) or NUMBERED.match(line))
        if ended or starts_item:
            paragraphs.append([line])
        else:
            paragraphs[-1].append(line)
        ended = False
        following_fits = len(line) < 0.82 * width
        if following_fits:
            ended = True
    out = []
    for number, rows in enumerate(paragraphs):
        text = _joined(rows, known_words or Counter())
        following = paragraphs[number + 1][0] if number + 1 < len(paragraphs) else next_page.strip()
        if text.startswith("#"):  # a comment in code, no heading of ours
            text = "\\" + text
        if len(rows) == 1 and looks_like_heading(text) and following and (number == 0 or not following[:1].islower()):
            text = "## " + text
        elif BULLET.match(text):
            text = "- " + BULLET.sub("", text)
        out.append(text)
    return "\n\n".join(out)


def looks_like_heading(line: str) -> bool:
    """A short title: starts with a capital or a number, has few words, ends with no punctuation, is no code."""
    words = HEADING_NUMBER.sub("", line).split()
    if not 1 <= len(words) <= 12 or len(line) > 90 or line[-1] in ".,:;!?-–" or _CODE_LIKE.search(line):
        return False
    letters = sum(c.isalpha() for c in line)
    return words[0][0].isupper() and letters >= 4 and letters > 0.6 * len(line) and not BULLET.match(line)


def words_of(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W\d_]{3,}", text))


def _joined(rows: list[str], known_words: Counter[str]) -> str:
    """Wrapped lines as one; a word divided at the line's end is mended if the document has it undivided elsewhere."""
    text = rows[0]
    for row in rows[1:]:
        divided = re.search(r"([^\W\d_]+)-$", text)
        rest = re.match(r"[^\W\d_]+", row)
        if divided and rest and row[0].islower():
            whole = divided.group(1) + rest.group()
            text = text[:-1] + row if known_words[whole] else text + row
        else:
            text += " " + row
    return text
