"""Chunks: exact, in order, short enough, with nothing lost."""

import random
from pathlib import Path

import pytest

from dslm_studio.demo import corpus
from dslm_studio.demo.rest_text import to_markdown
from engine.lib.chunking import Chunk, TokenCounter, chunks_of, embedded, token_counter
from engine.lib.sections import blocks_of, plain, sections_of
from engine.stages.ingest import Params, tokenizer_file


@pytest.fixture(scope="module")
def count() -> TokenCounter:
    path = tokenizer_file(Params())
    assert path is not None
    return token_counter(path)


def check(text: str, chunks: list[Chunk], starts: list[int], limit: int, count: TokenCounter, title: str) -> None:
    left_out, at = list[int](), 0
    for chunk in chunks:
        assert not is_its_own_heading(text, chunk)
        assert text[chunk.start : chunk.end] == chunk.text and chunk.text.strip() == chunk.text != ""
        assert chunk.start >= at, "chunks overlap or are out of order"
        assert chunk.tokens == count(chunk.text) <= limit
        assert count(embedded(title, chunk, count)) <= limit + 2  # the join may cost a token or two, for which [CLS] and [SEP] leave room
        assert starts[chunk.page - 1] <= chunk.start and (chunk.page == len(starts) or chunk.start < starts[chunk.page])
        left_out += range(at, chunk.start)
        at = chunk.end
    left_out += range(at, len(text))
    in_headings = {
        at for block in blocks_of(text) if block.kind == "heading" for at in range(text.rfind("\n", 0, block.start) + 1, block.end)
    }
    assert all(text[at].isspace() or at in in_headings for at in left_out), "text was lost"


def is_its_own_heading(text: str, chunk: Chunk) -> bool:
    """Whether the chunk holds nothing but headings that it names beside its text."""
    inside = [block for block in blocks_of(text) if block.start < chunk.end and block.end > chunk.start]
    named = (block.kind == "heading" and plain(text[block.start : block.end]) in chunk.headings for block in inside)
    return bool(inside) and all(named)


def random_text(chance: random.Random) -> str:
    words = [
        "Wort",
        "naïve",
        "x" * 40,
        "`code()`",
        "end.",
        "1,000",
        "(see",
        "below)",
        "漢字",
        "🙂",
        "\t",
        "—",
        "a\n",
        "|",
        "**b**",
        "\n- item",
        "\n1. one",
    ]
    parts = []
    for _ in range(chance.randint(1, 25)):
        kind = chance.random()
        if kind < 0.25:
            parts.append("#" * chance.randint(1, 6) + " " + " ".join(chance.choices(words[:8], k=chance.randint(1, 6))))
        elif kind < 0.35:
            parts.append("```\n# no heading\n\n" + "x = 1\n" * chance.randint(1, 80) + ("```" if chance.random() < 0.9 else ""))
        else:
            parts.append(" ".join(chance.choices(words, k=chance.randint(0, 400))))
    return ("\n" * chance.randint(1, 3)).join(parts)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_any_text_is_cut_in_order_within_the_limit_and_without_loss(seed: int, count: TokenCounter) -> None:
    chance = random.Random(seed)
    text = random_text(chance)
    starts = sorted({0, *(chance.randrange(len(text) + 1) for _ in range(chance.randint(0, 5)))})
    limit = chance.choice([64, 128, 254])
    check(text, chunks_of(text, starts, count, limit, "A title"), starts, limit, count, "A title")


@pytest.mark.parametrize("topic", ["with", "types", "formatstrings", "operator-summary"])
def test_real_topics_are_cut_in_order_within_the_limit_and_without_loss(topic: str, count: TokenCounter) -> None:
    text = to_markdown(corpus.topics()[topic])
    chunks = chunks_of(text, [0], count, 254, topic)
    check(text, chunks, [0], 254, count, topic)
    assert all("\n# " not in chunk.text for chunk in chunks)


def test_a_chunk_carries_the_path_of_its_headings_and_a_heading_goes_with_its_text(count: TokenCounter) -> None:
    text = "# Manual\n\n## Repair\n\nOpen the `lid` first.\n\n## Care\n\nWipe it with a dry cloth.\n\n### Never\n\nUse no water.\n"
    chunks = chunks_of(text, [0], count, 254, "")
    assert [chunk.headings for chunk in chunks] == [["Manual", "Repair"], ["Manual", "Care", "Never"]]
    assert chunks[0].text.startswith("# Manual\n\n## Repair")


LONG = "The pump has to be opened by two people who wear gloves. " * 30


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("# Pump\n\n" + LONG, ["# Pump\n\nThe pump"]),
        ("## `lt(a, b)`\n\n## `le(a, b)`\n\nThey compare two things.", ["## `lt(a, b)`\n\n## `le(a, b)`\n\nThey"]),
        ("# Care\n\nWipe it.\n\n## Left empty\n\n# Repair\n\n" + LONG, ["# Care\n\nWipe it.", "# Repair\n\nThe pump"]),
        ("Some text.\n\n# The end", ["Some text."]),
        ("# Nothing\n\n## But headings", []),
        ("```\n# a comment, no heading\n```", ["```\n# a comment"]),
    ],
)
def test_a_heading_is_no_passage_of_its_own(text: str, begins: list[str], count: TokenCounter) -> None:
    chunks = chunks_of(text, [0], count, 254, "Manual")
    check(text, chunks, [0], 254, count, "Manual")
    firsts = {tuple(chunk.headings): chunk for chunk in reversed(chunks)}  # the first chunk under each heading
    assert [chunk.text[: len(begin)] for chunk, begin in zip(reversed(firsts.values()), begins, strict=True)] == begins


def test_a_paragraph_that_begins_like_a_heading_is_kept(count: TokenCounter) -> None:
    text = "# " + LONG.strip()
    assert "".join(chunk.text for chunk in chunks_of(text, [0], count, 254, "")).count("pump") == 30


def test_a_run_of_headings_too_long_for_one_passage_is_kept(count: TokenCounter) -> None:
    slides = "\n\n".join(f"## Slide {number} about the care of pumps" for number in range(60)) + "\n\nThe end."
    chunks = chunks_of(slides, [0], count, 254, "")
    assert len(chunks) > 2 and all(f"Slide {number} " in "".join(chunk.text for chunk in chunks) for number in range(60))


def test_without_a_tokenizer_the_guess_is_on_the_safe_side(count: TokenCounter) -> None:
    guess = token_counter(None)
    for topic in ("with", "types", "strings"):
        text = corpus.topics()[topic]
        assert guess(text) >= count(text)


def test_blocks_and_sections_see_fences_items_and_tables() -> None:
    text = "intro\n\n# A `b`\n\n```\n# not\n```\n\n- one\n- two\n  more\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nEnd."
    assert [block.kind for block in blocks_of(text)] == ["paragraph", "heading", "code", "item", "item", "table", "paragraph"]
    assert [section.headings for section in sections_of(text)] == [(), ("A `b`",)]
    assert plain("The **bold** *fine* `__init__` [link](http://x)") == "The bold fine __init__ link"


def test_the_built_in_tokenizer_is_found() -> None:
    assert isinstance(tokenizer_file(Params()), Path)
