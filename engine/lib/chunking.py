"""Cutting a document's text into chunks that fit the embedding model, by offsets, never across a heading."""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.lib.sections import Section, plain, sections_of

TokenCounter = Callable[[str], int]
PREFIX_TOKENS = 48  # at most so many of the budget go to the headings that are embedded with a chunk
SMALL_SECTION = 24  # tokens; a shorter section, such as a heading alone, goes together with the next one
SEPARATOR = " › "


@dataclass(frozen=True)
class Chunk:
    """``text[start:end]`` of the document. ``page`` and ``page_end`` count from 1."""

    text: str
    start: int
    end: int
    page: int
    page_end: int
    headings: list[str]
    tokens: int


def token_counter(tokenizer_file: Path | None) -> TokenCounter:
    """Counts tokens as the embedding model does, without [CLS] and [SEP]. Without its tokenizer: a safe guess."""
    if tokenizer_file is None:
        return lambda text: math.ceil(len(text.encode()) / 2.5)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def chunks_of(text: str, page_starts: list[int], count: TokenCounter, max_tokens: int, title: str = "") -> list[Chunk]:
    """The chunks of ``text`` in order. A chunk with its ``embedded`` headings has at most ``max_tokens``."""
    import semchunk

    count = lru_cache(20_000)(count)
    found: list[Chunk] = []
    for section in merged(text, sections_of(text), count):
        headings = [plain(heading) for heading in section.headings]
        budget = max_tokens - count(prefix_of(title, headings, count)) if headings or title else max_tokens
        body = text[section.start : section.end]
        whole = count(body)
        # pieces of even size, so that no crumb is left at the end of a section
        pieces = max(1, math.ceil(whole / budget))
        size = budget if pieces == 1 else min(budget, math.ceil(whole / pieces * 1.12))
        _, offsets = semchunk.chunk(body, chunk_size=size, token_counter=count, memoize=False, offsets=True)
        for start, end in offsets:
            start, end = _stripped(text, section.start + start, section.start + end)
            if start < end:
                pages = bisect_right(page_starts, start), bisect_right(page_starts, end - 1)
                piece = text[start:end]
                found.append(Chunk(piece, start, end, max(1, pages[0]), max(1, pages[1]), headings, count(piece)))
    return found


def embedded(title: str, chunk: Chunk, count: TokenCounter) -> str:
    """What is embedded for a chunk: where it stands, and its text. A heading that the text itself begins with is not said twice."""
    prefix = prefix_of(title, chunk.headings, count)
    return f"{prefix}\n{chunk.text}" if prefix else chunk.text


def prefix_of(title: str, headings: list[str], count: TokenCounter) -> str:
    """The headings' path, from its end as far as the budget allows."""
    path = [part for part in dict.fromkeys([title, *headings]) if part]
    while len(path) > 1 and count(SEPARATOR.join(path)) > PREFIX_TOKENS:
        path.pop(0)
    joined = SEPARATOR.join(path)
    while joined and count(joined) > PREFIX_TOKENS:
        joined = joined[: int(len(joined) * 0.8)].rstrip()
    return joined


def merged(text: str, sections: list[Section], count: TokenCounter) -> list[Section]:
    """``sections`` with a very short one, such as a heading alone, put before its first subsection, which gives the two its headings."""
    found: list[Section] = []
    for section in sections:
        above = found[-1] if found else None
        if above is not None and _is_below(section, above) and _is_small(text[above.start : above.end], count):
            found[-1] = Section(section.headings, above.start, section.end, above.blocks + section.blocks)
        else:
            found.append(section)
    return found


def _is_below(section: Section, above: Section) -> bool:
    depth = len(above.headings)
    return len(section.headings) > depth and section.headings[:depth] == above.headings


def _is_small(text: str, count: TokenCounter) -> bool:
    return len(text) < 12 * SMALL_SECTION and count(text) < SMALL_SECTION


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
