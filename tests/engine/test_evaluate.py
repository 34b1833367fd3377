"""A report says what training brought and cost, with intervals."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.exits import InputError
from engine.stages.evaluate import check_same_words
from tests.engine.stage_running import Outcome

QUICK = {"test_rows": 6, "answer_rows": 2, "general_questions": 4, "max_new_tokens": 8}


def test_it_compares_base_and_tuned_row_by_row(trained: Outcome, engine_run: Callable, base_model: Path, topics: Path) -> None:
    inputs = {"model": base_model, "adapter": trained.output("adapter"), "dataset": topics}
    outcome = engine_run("evaluate", QUICK, inputs)
    report = json.loads((outcome.output("report") / "report.json").read_text())
    for who in ("base", "tuned"):
        assert set(report[who]) == {"loss", "perplexity", "token_f1", "rouge_l", "general_loss", "mmlu"}
        for score in report[who].values():
            assert score["low"] <= score["value"] <= score["high"]
    assert report["base"]["loss"]["n"] == report["pairs"] == 6
    assert report["base"]["token_f1"]["n"] == 2
    assert report["general"] == {"questions": 4, "of": 281}
    assert report["base"]["mmlu"]["n"] == report["base"]["general_loss"]["n"] == 4
    gain = report["gain"]["loss"]
    assert abs(gain["value"] - (report["base"]["loss"]["value"] - report["tuned"]["loss"]["value"])) < 1e-9
    assert gain["low"] > 0  # a few steps on text of this kind help every row
    assert report["mmlu_informative"] in (True, False)
    samples = [json.loads(line) for line in (outcome.output("report") / "samples.jsonl").read_text("utf-8").splitlines()]
    assert len(samples) == 6
    assert samples[0]["question"]
    assert samples[0]["tuned_answer"] is not None
    assert samples[5]["tuned_answer"] is None
    assert samples[5]["tuned_loss"] > 0
    names = [data["name"] for data in outcome.of("phase")]
    assert names[1:5] == ["base_loss", "base_answers", "base_general", "base_mmlu"]


def test_it_scores_a_model_alone(engine_run: Callable, base_model: Path, topics: Path) -> None:
    outcome = engine_run("evaluate", QUICK | {"general_questions": 2}, {"model": base_model, "dataset": topics})
    report = json.loads((outcome.output("report") / "report.json").read_text())
    assert report["tuned"] is None
    assert report["gain"] is None
    assert report["base"]["perplexity"]["value"] > 1


def test_it_compares_a_whole_model_with_its_base_one_after_the_other(
    trained: Outcome, engine_run: Callable, base_model: Path, topics: Path
) -> None:
    whole = engine_run("merge", {}, {"model": base_model, "adapter": trained.output("adapter")}).output("model")
    quick = QUICK | {"answer_rows": 1, "general_questions": 2}
    outcome = engine_run("evaluate", quick, {"model": whole, "base": base_model, "dataset": topics})
    report = json.loads((outcome.output("report") / "report.json").read_text())
    assert report["gain"]["loss"]["low"] > 0
    assert report["tuned"]["loss"]["value"] < report["base"]["loss"]["value"]
    names = [data["name"] for data in outcome.of("phase")]
    assert names[:2] == ["load", "base_loss"] and names[5:7] == ["load_tuned", "tuned_loss"]


def test_it_refuses_a_base_of_another_vocabulary() -> None:
    class Words:
        def __init__(self, *words: str) -> None:
            self.words = words

        def get_vocab(self) -> dict[str, int]:
            return {word: at for at, word in enumerate(self.words)}

    check_same_words(Words("a", "b"), Words("a", "b"))
    with pytest.raises(InputError, match="different tokens"):
        check_same_words(Words("a", "b"), Words("b", "a"))


def test_it_refuses_a_dataset_without_test_pairs(engine_run: Callable, base_model: Path, dataset_of: Callable) -> None:
    dataset = dataset_of(train=[("a?", "b")])
    outcome = engine_run("evaluate", QUICK, {"model": base_model, "dataset": dataset}, expect=20)
    assert outcome.of("error")[0]["code"] == "no_test_pairs"
