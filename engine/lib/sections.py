"""The shape of a document's text: its sections under Markdown headings, and the blocks inside them, by offsets."""

import re
from dataclasses import dataclass
from typing import Literal

HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t]*#*$")
FENCE = re.compile(r"[ \t]*(```+|~~~+)")
ITEM = re.compile(r"[ \t]*([-*+]|\d{1,3}[.)]|\[\d+\])[ \t]+")

BlockKind = Literal["heading", "paragraph", "item", "code", "table"]


@dataclass(frozen=True)
class Block:
    """``text[start:end]`` is the whole block; for an item, ``start`` is after its mark."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0


@dataclass(frozen=True)
class Section:
    """``text[start:end]`` from its heading to the next one. ``headings`` leads from the document's top to it, as written."""

    headings: tuple[str, ...]
    start: int
    end: int
    blocks: tuple[Block, ...]


def blocks_of(text: str) -> list[Block]:
    """The blocks of ``text`` in order."""
    found: list[Block] = []
    at, size = 0, len(text)
    while at < size:
        line_end = _line_end(text, at)
        line = text[at:line_end]
        if not line.strip():
            at = line_end + 1
            continue
        if fence := FENCE.match(line):
            end = _fence_end(text, line_end, fence.group(1))
            found.append(Block("code", at, end))
            at = end + 1
            continue
        if heading := HEADING.fullmatch(line):
            found.append(Block("heading", at + heading.start(2), at + heading.end(2), len(heading.group(1))))
            at = line_end + 1
            continue
        end = line_end
        item = ITEM.match(line)
        while end < size:  # the lines that belong to this one
            following_end = _line_end(text, end + 1)
            following = text[end + 1 : following_end]
            if not following.strip() or HEADING.fullmatch(following) or FENCE.match(following) or ITEM.match(following):
                break
            end = following_end
        whole = text[at:end]
        indent = len(whole) - len(whole.lstrip())
        if item:
            found.append(Block("item", at + item.end(), end))
        elif line.lstrip().startswith("|") and whole.count("|") >= 4:
            found.append(Block("table", at, end))
        elif indent >= 4 and not (found and found[-1].kind == "item"):
            found.append(Block("code", at, end))
        else:
            found.append(Block("paragraph", at + indent, end))
        at = end + 1
    return found


def sections_of(text: str) -> list[Section]:
    """The sections of ``text``; what stands before the first heading is one without headings. Together they cover the text."""
    found: list[Section] = []
    path: list[tuple[int, str]] = []
    start, kept = 0, list[Block]()
    for block in blocks_of(text):
        if block.kind == "heading":
            line_start = text.rfind("\n", 0, block.start) + 1
            if kept or text[start:line_start].strip():
                found.append(Section(tuple(title for _, title in path), start, line_start, tuple(kept)))
            path = [(level, title) for level, title in path if level < block.level]
            path.append((block.level, text[block.start : block.end]))
            start, kept = line_start, []
        kept.append(block)
    if kept or not found:
        found.append(Section(tuple(title for _, title in path), start, len(text), tuple(kept)))
    return found


def plain(markdown: str) -> str:
    """A heading or sentence without its Markdown marks, for people to read."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", markdown)
    text = re.sub(r"(?<!\w)\*\*(?=\S)(.+?)(?<=\S)\*\*(?!\w)", r"\1", re.sub(r"`([^`]*)`", r"\1", text))
    return re.sub(r"(?<![\w*])[*](?=\S)([^*]+?)(?<=\S)[*](?!\w)", r"\1", text).strip()


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _fence_end(text: str, at: int, mark: str) -> int:
    """The end of the line that closes the fence; an open fence lasts to the end."""
    while at < len(text):
        end = _line_end(text, at + 1)
        if text[at + 1 : end].strip().startswith(mark):
            return end
        at = end
    return len(text)
