"""Cutting a document's text into chunks that fit the embedding model, by offsets, never across a heading."""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.lib.sections import Block, Section, plain, sections_of

TokenCounter = Callable[[str], int]
Span = tuple[int, int]
PREFIX_TOKENS = 48  # at most so many of the budget go to the headings that are embedded with a chunk
SMALL_SECTION = 24  # tokens; a shorter section goes together with its first subsection
LONGEST_HEADING = 300  # characters; what is longer is a paragraph that begins with a #
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
    """The chunks of ``text`` in order, none its own heading alone. With its ``embedded`` headings a chunk has at most ``max_tokens``."""
    count = lru_cache(20_000)(count)
    found: list[Chunk] = []
    for section in merged(text, sections_of(text), count):
        headings = [plain(heading) for heading in section.headings]
        budget = max_tokens - count(prefix_of(title, headings, count)) if headings or title else max_tokens
        for start, end in pieces_of(text, section, budget, count):
            pages = bisect_right(page_starts, start), bisect_right(page_starts, end - 1)
            piece = text[start:end]
            found.append(Chunk(piece, start, end, max(1, pages[0]), max(1, pages[1]), headings, count(piece)))
    return found


def pieces_of(text: str, section: Section, budget: int, count: TokenCounter) -> list[Span]:
    """``section`` in pieces of at most ``budget`` tokens, a heading together with the text after it.

    Its own heading is left out where it is too long for that, or where no text stands under it: a chunk names its headings anyway.
    """
    if _headings_in(text, section.blocks, section.start, section.end) is not None:
        return []
    found: list[Span] = []
    rest = _even(text, section.start, section.end, budget, count)
    while rest:
        (start, end), *rest = rest
        alone = _headings_in(text, section.blocks, start, end)
        room = budget - count(text[start:end])
        if alone is None:
            found.append((start, end))
        elif rest and room >= budget // 2:
            (_, stop), *rest = _even(text, end, section.end, room, count)
            rest.insert(0, (start, stop))
        elif not alone <= {*section.headings}:
            found.append((start, end))  # a run of headings too long to go anywhere: slides, a list of contents
    return found


def _even(text: str, start: int, end: int, budget: int, count: TokenCounter) -> list[Span]:
    """Pieces of about even size, so that no crumb is left at the end, without the white space around them."""
    import semchunk

    body = text[start:end]
    whole = count(body)
    pieces = max(1, math.ceil(whole / budget))
    size = budget if pieces == 1 else min(budget, math.ceil(whole / pieces * 1.12))
    _, offsets = semchunk.chunk(body, chunk_size=size, token_counter=count, memoize=False, offsets=True)
    spans = (_stripped(text, start + begin, start + stop) for begin, stop in offsets)
    return [(begin, stop) for begin, stop in spans if begin < stop]


def _headings_in(text: str, blocks: tuple[Block, ...], start: int, end: int) -> set[str] | None:
    """The headings between ``start`` and ``end``, as written, cut ones as well; None where anything else stands there."""
    inside = [block for block in blocks if block.start < end and block.end > start]
    return {text[block.start : block.end] for block in inside} if inside and all(map(_is_heading, inside)) else None


def _is_heading(block: Block) -> bool:
    return block.kind == "heading" and block.end - block.start <= LONGEST_HEADING


def embedded(title: str, chunk: Chunk, count: TokenCounter) -> str:
    """What is embedded for a chunk: where it stands, and its text."""
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
    """``sections`` with a very short one put before its first subsection, and a heading without text before the next one of its rank.

    The later of the two gives them its headings.
    """
    found: list[Section] = []
    for section in sections:
        above = found[-1] if found else None
        if above is not None and _goes_before(text, above, section, count):
            found[-1] = Section(section.headings, above.start, section.end, above.blocks + section.blocks)
        else:
            found.append(section)
    return found


def _goes_before(text: str, above: Section, section: Section, count: TokenCounter) -> bool:
    depth = len(above.headings)
    if section.headings[:depth] == above.headings and len(section.headings) > depth and _is_small(text[above.start : above.end], count):
        return True
    without_text = bool(above.blocks) and _is_heading(above.blocks[-1])
    return without_text and section.headings[: depth - 1] == above.headings[:-1]


def _is_small(text: str, count: TokenCounter) -> bool:
    return len(text) < 12 * SMALL_SECTION and count(text) < SMALL_SECTION


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
