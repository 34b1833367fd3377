"""Sphinx's plain-text output, as in ``pydoc_data.topics``, turned into Markdown."""

import re

UNDERLINES = {"*": 1, "=": 2, "-": 3, "~": 4}
ITEM = re.compile(r"(\*|\d+\.|\[\d+\]) +")
DIRECTIVE = re.compile(r"(Note|Warning|Important|See also|CPython implementation detail):$")
# Sphinx writes ``code`` as "code"; a straight quote next to a word or another quote belongs to the code itself
LITERAL = re.compile(r'(?<![\w"\'`])"([^"\n`]+|"[^"\n`]*")"(?!["\w`])')
PLURAL = re.compile(r'(?<![\w"\'`])"([^"\s`]+)"(?=\w)')


def to_markdown(text: str) -> str:
    """``text`` as Markdown: headings, one line a paragraph, fenced code, lists and pipe tables."""
    return "\n\n".join(_blocks(text.expandtabs().split("\n"), 1)) + "\n"


def _blocks(lines: list[str], level: int) -> list[str]:
    """Markdown blocks of ``lines``, which start in column 0; ``level`` is the deepest heading so far."""
    out: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if not line.strip():
            at += 1
        elif _is_underline(line, following):
            level = UNDERLINES[following[0]]
            out.append("#" * level + " " + inline(line.strip()))
            at += 2
        elif line.startswith("-[ "):
            level = 2
            out.append("## " + line.strip("-[] "))
            at += 1
        elif line.startswith("+-"):
            end = _while(lines, at, lambda row: row.startswith(("+", "|")))
            out.append(_table(lines[at:end]))
            at = end
        elif line.startswith(" "):
            end = _while(lines, at, lambda row: row.startswith(" ") or not row.strip())
            out.append(_code(_dedent(lines[at:end])))
            at = end
        elif item := ITEM.match(line):
            end = _while(lines, at + 1, lambda row: row.startswith("  ") or not row.strip())
            out.extend(_item(item.group(1), [line[item.end() :], *_dedent(lines[at + 1 : end])], level))
            at = end
        else:
            at = _paragraph(lines, at, level, out)
    return out


def _paragraph(lines: list[str], at: int, level: int, out: list[str]) -> int:
    """Add the paragraph, directive or described term at ``at`` to ``out``; the line after it."""
    end = _while(lines, at, lambda row: bool(row.strip()) and not row.startswith(" "))
    start_of_more = _while(lines, end, lambda row: not row.strip())
    body_end = _while(lines, start_of_more, lambda row: row.startswith(" ") or not row.strip())
    paragraph, body = lines[at:end], _dedent(lines[start_of_more:body_end])
    text = inline(" ".join(" ".join(paragraph).split()))
    if DIRECTIVE.fullmatch(text):
        inner = _blocks(body, level)
        if text == "See also:":  # terms and pointers, no prose
            out.extend(["**See also:**", *(block.lstrip("#").strip() for block in inner)])
        else:
            first, *rest = inner or [""]
            out.extend([f"**{text}** {first}", *rest])
        return body_end
    is_term = bool(body) and text[-1] not in ".:,;!?" and len(paragraph) <= 8 and not _is_code(body)
    if not is_term:
        out.append(text)
        return end
    if _only_terms_follow(lines, body_end):
        deeper = min(level + 1, 6)
        out.extend("#" * deeper + " " + _signature(row) for row in _join_wrapped(paragraph))
        out.extend(_blocks(body, deeper))
    else:
        out.extend("**" + _signature(row) + "**" for row in _join_wrapped(paragraph))
        out.extend(_blocks(body, level))
    return body_end


def _only_terms_follow(lines: list[str], at: int) -> bool:
    """True if nothing but described terms stands between ``at`` and the next heading, so that a term may be a heading itself."""
    while at < len(lines):
        line = lines[at]
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if not line.strip() or line.startswith(" "):
            at += 1
            continue
        if _is_underline(line, following) or line.startswith("-[ "):
            return True
        end = _while(lines, at, lambda row: bool(row.strip()) and not row.startswith(" "))
        body = _while(lines, end, lambda row: not row.strip())
        described = body < len(lines) and lines[body].startswith(" ") and lines[end - 1].rstrip()[-1] not in ".:,;!?"
        if not described or ITEM.match(line):
            return False
        at = end
    return True


def _join_wrapped(rows: list[str]) -> list[str]:
    """One entry a signature: several may share one description, and only an open bracket carries on to the next line."""
    joined: list[str] = []
    for row in rows:
        if joined and joined[-1].count("(") > joined[-1].count(")"):
            joined[-1] += " " + row.strip()
        else:
            joined.append(row.strip())
    return joined


def _signature(row: str) -> str:
    is_code = re.match(r"^(class |async )?[\w.]+\(.*\)$", row) or re.match(r"^[a-z_]+(\.\w+)+$", row)
    return f"`{row}`" if is_code and "`" not in row else inline(row)


def _item(mark: str, rows: list[str], level: int) -> list[str]:
    """A list item or footnote; what it holds beside its first paragraph is indented under it."""
    first, *rest = _blocks(rows, level)
    bullet = {"*": "-"}.get(mark, mark)
    indent = " " * (len(bullet) + 1)
    return [f"{bullet} {first}", *("\n".join(indent + row if row else row for row in block.split("\n")) for block in rest)]


def _is_code(rows: list[str]) -> bool:
    """An indented block that is no prose: an example, a grammar."""
    head = rows[0]
    return "::=" in head or head.startswith((">>>", "$ ", "import ", "from ", "def ", "class ", "@", "#"))


def _code(rows: list[str]) -> str:
    text = "\n".join(rows).rstrip()
    language = "ebnf" if "::=" in text else "pycon" if text.lstrip().startswith(">>>") else "python"
    return f"```{language}\n{text}\n```"


def _table(rows: list[str]) -> str:
    """A grid table as a pipe table; cells over several lines are joined."""
    width = rows[0].count("+") - 1
    table: list[list[str]] = []
    cells = [""] * width
    for row in rows[1:]:
        parts = row.strip("|").split("|")
        if row.startswith(("+", "|=")):
            table.append([inline(" ".join(cell.split())).replace("|", "\\|") for cell in cells])
            cells = [""] * width
        elif len(parts) == width:
            cells = [f"{cell} {part}" for cell, part in zip(cells, parts, strict=True)]
        else:  # a bar inside a cell: keep the text
            cells[0] += " " + " ".join(parts)
    lines = ["| " + " | ".join(row) + " |" for row in table if any(row)]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def inline(text: str) -> str:
    """Quoted literals as Markdown code."""
    return PLURAL.sub(r"`\1`", LITERAL.sub(r"`\1`", text))


def _is_underline(line: str, following: str) -> bool:
    mark = following[:1]
    return mark in UNDERLINES and len(following) >= 3 and set(following) == {mark} and len(following) >= len(line.rstrip())


def _dedent(rows: list[str]) -> list[str]:
    while rows and not rows[-1].strip():
        rows = rows[:-1]
    depth = min((len(row) - len(row.lstrip()) for row in rows if row.strip()), default=0)
    return [row[depth:] for row in rows]


def _while(lines: list[str], at: int, test) -> int:  # type: ignore[no-untyped-def]
    while at < len(lines) and test(lines[at]):
        at += 1
    return at
