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
    covered, at = [], 0
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text and chunk.text.strip() == chunk.text != ""
        assert chunk.start >= at, "chunks overlap or are out of order"
        assert chunk.tokens == count(chunk.text) <= limit
        assert count(embedded(title, chunk, count)) <= limit + 2  # the join may cost a token or two, for which [CLS] and [SEP] leave room
        assert starts[chunk.page - 1] <= chunk.start and (chunk.page == len(starts) or chunk.start < starts[chunk.page])
        covered.append(text[at : chunk.start])
        at = chunk.end
    covered.append(text[at:])
    assert not "".join(covered).strip(), "text was lost"


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
