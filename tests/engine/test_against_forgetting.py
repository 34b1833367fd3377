"""What holds a real training back from forgetting: a penalty, and general texts of its own to stop by."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest

STEPS = {"max_steps": 2, "batch_size": 2, "eval_rows": 2, "general_rows": 8, "warmup_ratio": 0.0, "max_length": 128}


@pytest.fixture
def with_general(topics: Path, tmp_path: Path) -> Path:
    """The topics, with general data in both splits."""
    folder = tmp_path / "with-general"
    shutil.copytree(topics, folder)
    for split in ("train", "validation"):
        with open(folder / f"{split}.jsonl", "a", encoding="utf-8") as file:
            for number in range(10):
                turns = [
                    {"role": "user", "content": f"What is {number} plus {number}?"},
                    {"role": "assistant", "content": f"{number} plus {number} is {2 * number}."},
                ]
                file.write(json.dumps({"id": f"g-{split}-{number}", "messages": turns, "rehearsal": True}) + "\n")
    manifest.write(folder, "dataset")
    return folder


@pytest.mark.parametrize("hold", ["l2", "ewc"])
def test_a_held_adapter_tells_what_its_change_costs(hold: str, engine_run: Callable, base_model: Path, topics: Path) -> None:
    inputs = {"model": base_model, "dataset": topics}
    held = engine_run("sft", STEPS | {"hold": hold, "hold_strength": 100, "fisher_rows": 4}, inputs)
    values = held.metric("penalty")
    assert values[1] == 0  # an adapter begins without effect
    assert all(value > 0 for step, value in values.items() if step > 1)
    assert any("Measuring" in phase["title"] for phase in held.of("phase")) == (hold == "ewc")
    assert held.of("artifact")[0]["role"] == "adapter"


def test_the_datasets_own_general_data_is_looked_at_apart_and_ends_a_training_that_forgets(
    engine_run: Callable, base_model: Path, with_general: Path
) -> None:
    params = STEPS | {"max_steps": 6, "learning_rate": 0.02, "eval_every": 2, "stop_over_budget": True, "general_budget": 0.05}
    outcome = engine_run("sft", params, {"model": base_model, "dataset": with_general})
    said = " ".join(entry["message"] for entry in outcome.of("log"))
    assert "looked at on 8 rows of general data in validation.jsonl" in said
    assert "34 pairs" in said and "2 validation pairs" in said  # 24 + 10 are trained on; the general ones are no validation pairs
    general = outcome.metric("general_loss")
    assert sorted(general) == [0, 2] and general[2] - general[0] > 0.05
    assert max(outcome.metric("train_loss")) == 2
    assert outcome.of("finished")[0]["summary"]["over_budget"] is True
    assert [warning["code"] for warning in outcome.of("warning")].count("forgetting") == 1


def test_few_general_rows_are_not_enough_to_look_at(base_model: Path, with_general: Path, tmp_path: Path) -> None:
    from engine import events
    from engine.context import Context
    from engine.lib.training import data
    from engine.spec import Spec

    context = Context(tmp_path, Spec(stage="sft", inputs={"dataset": str(with_general)}), events.EventWriter(tmp_path))
    rows, what = data.general_rows(context, "validation", 9)
    assert len(rows) == 9 and "validation.jsonl" in what and all(row.rehearsal for row in rows)
    lines = (with_general / "validation.jsonl").read_text("utf-8").splitlines()
    (with_general / "validation.jsonl").write_text("".join(line + "\n" for line in lines[:-3]), "utf-8")
    rows, what = data.general_rows(context, "validation", 9)
    assert len(rows) == 9 and "MMLU" in what
    measured_on, _ = data.general_rows(context, "test", 9, skip=9)
    assert len(measured_on) == 9 and not any(row.messages in [other.messages for other in rows] for row in measured_on)
