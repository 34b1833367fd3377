"""Extracted pairs: exact quotes, no question twice, many shapes, and questions that find their passage again."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dslm_studio.demo import corpus
from engine.lib.question_shapes import SHAPES
from engine.lib.questions import candidates_of, normalised, unfit
from engine.lib.sentences import sentences_of
from engine.stages import extract_pairs
from tests.engine.ingest_kit import lines_of, run_stage
from tests.materials import cut_chunks

POLICY = """# Hand hygiene policy

A hand rub is a liquid with alcohol that is spread over the hands without water.

Staff must clean their hands before they touch a patient. It takes thirty seconds.

## Gloves

Gloves are used to protect staff from blood and other body fluids of the patient.

If a glove tears during a procedure, the wearer removes it and cleans both hands at once.

The ward manager must report every needle injury to the safety officer within one day.

Used gloves are disposed of in the yellow bin. See section 4 for the bins.

Unlike surgical gloves, examination gloves are not sterile and protect the wearer only.
"""


@pytest.fixture(scope="module")
def chunks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo corpus."""
    base = tmp_path_factory.mktemp("pairs")
    return cut_chunks(base, {path.name: path.read_bytes() for path in corpus.write(base / "corpus")})


@pytest.fixture(scope="module")
def pairs(chunks: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    run_dir = tmp_path_factory.mktemp("run")
    code, events = run_stage(run_dir, "extract_pairs", {"chunks": chunks}, {"about": "Python"}, seed=1)
    assert code == 0 and events[-1].data["summary"]["shapes"]
    return lines_of(run_dir / "outputs" / "pairs" / "pairs.jsonl")


def test_every_answer_is_an_exact_span_inside_one_chunk(chunks: Path, pairs: list[dict[str, Any]]) -> None:
    rows = {row["version"]: row for row in lines_of(chunks / "documents.jsonl")}
    places = {(row["version"], row["ordinal"]): row for row in lines_of(chunks / "chunks.jsonl")}
    for pair in pairs:
        row = rows[pair["version"]]
        text = (chunks / row["text_file"]).read_bytes().decode()
        assert text[pair["start"] : pair["end"]] == pair["evidence"]
        assert " ".join(pair["evidence"].split()) == pair["answer"]
        chunk = places[pair["version"], pair["chunk_ordinal"]]
        assert chunk["start"] <= pair["start"] and pair["end"] <= chunk["end"]
        assert row["page_starts"][pair["page"] - 1] <= pair["start"]


def test_there_are_enough_pairs_of_enough_shapes(pairs: list[dict[str, Any]]) -> None:
    shapes = Counter(pair["shape"] for pair in pairs)
    assert len(pairs) >= 340 and len(shapes) >= 6
    assert max(shapes.values()) <= 0.3 * len(pairs)
    assert sum(number >= 10 for number in shapes.values()) >= 6
    assert max(Counter(pair["document"] for pair in pairs).values()) <= 50


def test_no_question_and_no_answer_comes_twice(pairs: list[dict[str, Any]]) -> None:
    assert len({normalised(pair["question"]) for pair in pairs}) == len(pairs)
    assert len({normalised(pair["answer"]) for pair in pairs}) == len(pairs)


def test_questions_and_answers_read_well(pairs: list[dict[str, Any]]) -> None:
    for pair in pairs:
        question, answer = pair["question"], pair["answer"]
        assert question.endswith("?") and question[0].isupper() and "{" not in question.split("`")[0] and "  " not in question
        assert question.count("`") % 2 == 0 and answer.count("`") % 2 == 0
        assert 45 <= len(answer) <= 400 and answer.rstrip(')”"')[-1] in ".!?"
        assert answer.split()[0].lower() not in ("this", "it", "these", "they", "that", "however", "otherwise")
        assert "see section" not in answer.lower() and not answer.endswith(":")


def test_the_same_seed_gives_the_same_pairs(chunks: Path, pairs: list[dict[str, Any]], tmp_path: Path) -> None:
    run_stage(tmp_path / "run", "extract_pairs", {"chunks": chunks}, {"about": "Python"}, seed=1)
    assert lines_of(tmp_path / "run" / "outputs" / "pairs" / "pairs.jsonl") == pairs


def test_limits_and_shapes_are_obeyed(chunks: Path, tmp_path: Path) -> None:
    params = {"total": 60, "per_document": 3, "shapes": ["definition", "condition", "signature", "role"], "maximum_characters": 200}
    run_stage(tmp_path / "run", "extract_pairs", {"chunks": chunks}, params)
    found = lines_of(tmp_path / "run" / "outputs" / "pairs" / "pairs.jsonl")
    assert 0 < len(found) <= 60 and {pair["shape"] for pair in found} <= set(params["shapes"])  # type: ignore[call-overload]
    assert max(Counter(pair["document"] for pair in found).values()) <= 3
    assert max(len(pair["answer"]) for pair in found) <= 200


def test_the_form_offers_every_shape_there_is() -> None:
    assert list(SHAPES) == extract_pairs.ALL_SHAPES


def test_a_policy_gives_questions_that_name_their_topic() -> None:
    found = {one.shape: one for one in candidates_of(POLICY, "Hand hygiene policy", minimum=40, maximum=400, shapes=set(SHAPES))}
    asked = {one.question for one in found.values()}
    assert found["definition"].question.endswith("what is a hand rub?")
    assert found["purpose"].question.endswith("what are gloves used for?")
    assert "what happens if a glove tears during a procedure?" in found["condition"].question
    assert found["comparison"].question.endswith("how do examination gloves differ from surgical gloves?")
    assert found["obligation"].question.endswith("what must the ward manager do?")
    assert not any("See section" in one.answer or one.answer.startswith("It ") for one in found.values())
    assert all("hygiene" in question.lower() or "gloves" in question.lower() or "hand" in question.lower() for question in asked)


def test_a_document_without_whole_sentences_is_told_as_wrong_input(tmp_path: Path) -> None:
    folder = cut_chunks(tmp_path, {"list.md": b"# List\n\n- apples\n- pears\n"})
    code, events = run_stage(tmp_path / "run", "extract_pairs", {"chunks": folder})
    assert code == 20 and events[-1].data["code"] == "no_pairs" and events[-1].data["mend"]


def questions_of(text: str) -> list[str]:
    return [one.question for one in candidates_of(text, "Pumps", minimum=30, maximum=400, shapes=set(SHAPES), about="Python")]


@pytest.mark.parametrize(
    "sentence",
    [
        "Changed in version 3.8: Prior to Python 3.8, the evaluation order of the pump keys was not well defined.",
        "Changed in version 3.7: The keyword-only argument header of pumps.",
        "If loaded from a pump file, the values are written as numbers with a unit.",
        "If none of the candidate pumps meets that criterion, the whole system fails at once.",
        "If there are two pumps, they must be of equal length, and in the cellar, each pump is mapped to a valve.",
        "Mapped pumps compare equal if and only if they have equal valves and pipes.",
        "Rotary pumps reserve space for the declared valves and prevent the automatic creation of leaks.",
        "An example pump command typed at a prompt will take effect for the rest of the session.",
        "An optional trailing pump may be present after the positional valves and the pipes.",
    ],
)
def test_a_sentence_that_would_be_asked_about_badly_is_left_out(sentence: str) -> None:
    assert questions_of(f"# Pumps\n\n{sentence}\n") == []


def test_the_one_that_raises_an_error_is_named() -> None:
    asked = questions_of("# Pumps\n\n`remove()` raises `ValueError` when the pump is not found in the list of pumps.\n")
    assert any(question.endswith("in which case does `remove()` raise a `ValueError`?") for question in asked)
    assert not any("is a `ValueError` raised" in question for question in asked)


def test_a_function_is_named_though_its_parameter_stands_in_the_heading() -> None:
    text = "# Strings\n\n## str.split(sep=None)\n\nIf *sep* is not specified or is None, any run of white space is a separator.\n"
    assert questions_of(text) == ["For `str.split()`, what happens if *sep* is not specified or is None?"]


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("This is why nobody should touch the machine while it runs.", "dangling"),
        ("The rules for gloves are described in the following section.", "points elsewhere"),
        ("Gloves are used to protect staff from the following risks:", "end"),
        ("Gloves (see the list are used to protect the staff from blood.", "broken"),
        ("Gloves protect.", "length"),
        ("Gloves are used to protect staff from blood and other fluids.", ""),
    ],
)
def test_a_sentence_that_is_no_answer_is_left_out(sentence: str, why: str) -> None:
    assert unfit(sentence, 40, 400) == why


def test_sentences_end_where_a_reader_would_end_them() -> None:
    text = "Use e.g. soap (i.e. the blue one). It costs 3.50 EUR. [2] Ask Dr. Smith! `a. B` is code."
    assert [one.text for one in sentences_of(text, 0, len(text))] == [
        "Use e.g. soap (i.e. the blue one).", "It costs 3.50 EUR.", "Ask Dr. Smith!", "`a. B` is code.",
    ]  # fmt: skip


def test_a_bracket_that_never_closes_does_not_swallow_the_rest_of_a_long_text() -> None:
    text = "See the list (on page 3. " + "The pump moves water into the boiler. " * 2000
    found = sentences_of(text, 0, len(text))
    assert max(len(one.text) for one in found) < 11_000
    assert found[-1].text == "The pump moves water into the boiler."
