"""The demo corpus and the questions written by hand for it."""

import json
from pathlib import Path

import pytest

from dslm_studio.demo import corpus
from dslm_studio.demo.rest_text import to_markdown
from engine.lib.parsing import Parser
from engine.lib.question_words import content_words
from engine.lib.sections import blocks_of
from engine.lib.sentences import sentences_of

DEMO = Path(corpus.__file__).parent


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Name → text of every document of the corpus, as ``ingest`` reads it."""
    paths = corpus.write(tmp_path_factory.mktemp("corpus"))
    with Parser(seconds=60, memory_bytes=2 << 30) as parser:
        parsed = {path.name: parser.parse(path, path.name) for path in paths}
    assert all(one.error is None for one in parsed.values())
    return {name: one.text for name, one in parsed.items()}


def lines_of(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (DEMO / name).read_text("utf-8").splitlines()]


def test_every_topic_is_written_once_and_the_same_on_every_call(tmp_path: Path) -> None:
    first, second = corpus.write(tmp_path / "a"), corpus.write(tmp_path / "b")
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert {path.stem for path in first if path.suffix == ".md"} == set(corpus.topics()) - set(corpus.PDF_TOPICS)
    assert [path.name for path in first if path.suffix == ".pdf"] == [corpus.PDF_NAME]


def test_markdown_has_headings_fences_lists_and_tables() -> None:
    made = to_markdown(
        'Title\n*****\n\nSee "x":\n\n   >>> 1\n   1\n\n* one\n  more\n\n+---+---+\n| a | b |\n|===|===|\n| "c" | d |\n+---+---+\n'
    )
    assert made.startswith("# Title\n\nSee `x`:\n\n```pycon\n>>> 1\n1\n```\n\n- one more\n\n| a | b |\n| --- | --- |")


def test_the_pdf_has_several_pages_and_headings(texts: dict[str, str]) -> None:
    text = texts[corpus.PDF_NAME]
    assert "## The import statement" in text and "## Execution model" in text and len(text) > 25_000


def test_paraphrases_quote_what_stands_once_in_the_corpus(texts: dict[str, str]) -> None:
    rows = lines_of("paraphrases.jsonl")
    assert len(rows) >= 60 and len({row["question"] for row in rows}) == len(rows)
    for row in rows:
        assert row["evidence"] in texts[row["topic"]], row
        assert sum(text.count(row["evidence"]) for text in texts.values()) == 1, row


def test_paraphrases_share_few_words_with_their_sentence(texts: dict[str, str]) -> None:
    for row in lines_of("paraphrases.jsonl"):
        text = texts[row["topic"]]
        at = text.index(row["evidence"])
        block = next(block for block in blocks_of(text) if block.start <= at < block.end)
        sentence = next(one.text for one in sentences_of(text, block.start, block.end) if one.start <= at < one.end)
        asked = content_words(row["question"])
        assert len(asked & content_words(sentence)) < 0.35 * len(asked), row


def test_there_are_ten_questions_off_the_topic() -> None:
    assert len(lines_of("off_topic.jsonl")) == 10
