"""Mixtures of base and tuned model lie on the line between them, are measured, and the best within the budget is kept."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest
from engine.exits import InputError
from engine.lib.interpolation import Point, best_within, check_alike, ratios
from tests.engine.stage_running import Outcome

FEW = {"mixtures": 3, "eval_rows": 4, "general_rows": 8, "max_length": 256}
WEIGHT = "model.layers.3.self_attn.q_proj.weight"


def weights(folder: Path) -> dict:
    from safetensors.torch import load_file

    return load_file(str(folder / "model.safetensors"))


@pytest.fixture(scope="module")
def whole(trained: Outcome, base_model: Path, topics: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A mixture chosen by a budget that allows all: the tuned model alone, which does best on the validation pairs."""
    from engine.spec import Spec
    from tests.engine.stage_running import run_stage

    inputs = {"model": str(base_model), "adapter": str(trained.output("adapter")), "dataset": str(topics)}
    return run_stage(tmp_path_factory.mktemp("blend") / "run", Spec(stage="blend", params=FEW | {"general_budget": 10}, inputs=inputs))


def test_an_adapters_mixtures_are_measured_and_handed_over_as_one_model(whole: Outcome, trained: Outcome, base_model: Path) -> None:
    record = manifest.verify(whole.output("model"))
    assert record.kind == "hf-model"
    sweep = record.facts["sweep"]
    assert [point["ratio"] for point in sweep] == [0.0, 0.5, 1.0] and record.facts["ratio"] == 1.0
    assert whole.metric("eval_loss") == {round(100 * point["ratio"]): point["eval_loss"] for point in sweep}
    assert whole.metric("general_loss") == {round(100 * point["ratio"]): point["general_loss"] for point in sweep}
    # the two ends are what training saw before its first step and what it handed over
    evals = trained.metric("eval_loss")
    assert sweep[0]["eval_loss"] == pytest.approx(evals[0], rel=0.01)
    assert sweep[2]["eval_loss"] == pytest.approx(min(evals.values()), rel=0.01)
    assert record.facts["forgotten"] == pytest.approx(sweep[2]["general_loss"] - sweep[0]["general_loss"])
    assert record.facts["logit_difference"] < record.facts["effect"] / 2
    assert record.facts["base"] == manifest.read(base_model).sha256


def test_between_two_models_the_weights_lie_on_the_line(whole: Outcome, engine_run: Callable, base_model: Path, topics: Path) -> None:
    import torch

    inputs = {"model": base_model, "tuned": whole.output("model"), "dataset": topics}
    half = engine_run("blend", FEW | {"ratio": 0.25, "mixtures": 2}, inputs)
    record = manifest.read(half.output("model"))
    assert [point["ratio"] for point in record.facts["sweep"]] == [0.0, 0.25, 1.0]
    start, end, found = weights(base_model), weights(whole.output("model")), weights(half.output("model"))
    assert not torch.equal(start[WEIGHT], end[WEIGHT])
    expected = (0.75 * start[WEIGHT].float() + 0.25 * end[WEIGHT].float()).to(torch.bfloat16)
    assert torch.allclose(found[WEIGHT].float(), expected.float(), rtol=2**-7)


def test_the_best_within_the_budget_is_chosen() -> None:
    points = [Point(0.0, 2.0, 1.0), Point(0.5, 1.5, 1.08), Point(0.75, 1.4, 1.09), Point(1.0, 1.2, 1.3)]
    assert best_within(points, 0.1).ratio == 0.75
    assert best_within(points, 0.5).ratio == 1.0
    assert best_within(points, 0.0).ratio == 0.0


def test_the_ratio_that_was_asked_for_is_among_those_tried() -> None:
    assert ratios(5, None) == [0, 0.25, 0.5, 0.75, 1]
    assert ratios(3, 0.3) == [0, 0.3, 0.5, 1]
    assert ratios(2, 0.0) == [0, 1]


def test_models_of_different_shapes_are_refused() -> None:
    import torch

    with pytest.raises(InputError, match="2 of their weights differ, for example a"):
        check_alike({"a": torch.zeros(2), "b": torch.zeros(1)}, {"a": torch.zeros(3), "c": torch.zeros(1), "b": torch.zeros(1)})


@pytest.mark.parametrize("given", [[], ["adapter", "tuned"]])
def test_it_wants_one_of_adapter_and_tuned_model(
    given: list[str], engine_run: Callable, trained: Outcome, base_model: Path, topics: Path
) -> None:
    both = {"adapter": trained.output("adapter"), "tuned": base_model}
    inputs = {"model": base_model, "dataset": topics} | {role: both[role] for role in given}
    assert engine_run("blend", {}, inputs, expect=20).of("error")[0]["code"] == "tuned"


def test_it_wants_validation_pairs(engine_run: Callable, trained: Outcome, base_model: Path, dataset_of: Callable) -> None:
    inputs = {"model": base_model, "adapter": trained.output("adapter"), "dataset": dataset_of(train=[("Why?", "Because.")])}
    assert engine_run("blend", {}, inputs, expect=20).of("error")[0]["code"] == "no_validation"
