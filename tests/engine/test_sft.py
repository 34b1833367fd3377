"""Training learns, resumes exactly, stops and keeps, and says what is wrong with the data."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import events, manifest
from engine.context import Context
from engine.exits import InputError
from engine.lib import chat_rows
from engine.lib.training import data, settings
from engine.spec import Spec
from tests.engine.stage_running import FOUR_STEPS, Outcome, engine_start


def test_it_learns_and_tells_how_it_goes(trained: Outcome) -> None:
    losses, evals = trained.metric("train_loss"), trained.metric("eval_loss")
    assert sorted(losses) == [1, 2, 3, 4]
    assert sorted(evals) == [0, 2, 4]
    assert evals[4] < evals[0]
    assert sorted(trained.metric("general_loss")) == [0, 2, 4]
    for name in ("learning_rate", "tokens_per_second", "all_tokens_per_second", "grad_norm", "memory_bytes", "utilisation"):
        assert all(value > 0 for value in trained.metric(name).values())
    assert [sample["title"] for sample in trained.of("sample")] == ["Before training", "After step 2", "After step 4"]
    assert trained.of("progress")[-1]["done"] == trained.of("progress")[-1]["total"] == 4
    summary = trained.of("finished")[0]["summary"]
    assert summary["steps"] == 4
    assert summary["eval_loss_best"]["loss"] == min(evals.values())


def test_it_hands_over_a_peft_adapter_without_pickles_or_local_paths(trained: Outcome) -> None:
    record = manifest.verify(trained.output("adapter"))
    assert set(record.files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert record.facts["partial"] is False
    assert '"base_model_name_or_path": ""' in (trained.output("adapter") / "adapter_config.json").read_text()


def test_it_resumes_exactly_where_a_power_cut_left_it(trained: Outcome, engine_run: Callable, base_model: Path, topics: Path) -> None:
    inputs = {"model": base_model, "dataset": topics}
    cut = engine_run("sft", FOUR_STEPS, inputs, seed=3, expect=-9, STUDIO_FAULT="checkpoint.after_rename")
    (checkpoint,) = sorted((cut.folder / "checkpoints").iterdir())
    resumed = engine_run("sft", FOUR_STEPS, inputs, seed=3, resume_from=checkpoint)
    whole = trained.metric("train_loss")
    assert resumed.metric("train_loss") == {3: whole[3], 4: whole[4]}
    assert resumed.metric("eval_loss")[4] == trained.metric("eval_loss")[4]
    weights = "adapter_model.safetensors"
    assert manifest.read(resumed.output("adapter")).files[weights] == manifest.read(trained.output("adapter")).files[weights]

    # the same checkpoint is of no use to another training
    other = engine_run("sft", FOUR_STEPS | {"learning_rate": 1e-4}, inputs, seed=3, resume_from=checkpoint, expect=20)
    assert other.of("error")[0]["code"] == "checkpoint_other"
    assert "learning_rate" in other.of("error")[0]["where"]
    # and is not read when a byte of it changed
    with open(checkpoint / "state.pt", "r+b") as file:
        file.seek(1000)
        file.write(b"x")
    damaged = engine_run("sft", FOUR_STEPS, inputs, seed=3, resume_from=checkpoint, expect=20)
    assert damaged.of("error")[0]["code"] == "checkpoint_damaged"


def test_it_stops_on_request_and_keeps_checkpoint_and_adapter(base_model: Path, topics: Path, tmp_path: Path) -> None:
    params = {"epochs": 50, "batch_size": 2}
    spec = Spec(stage="sft", params=params, inputs={"model": str(base_model), "dataset": str(topics)})
    process = engine_start(tmp_path, spec)
    outcome = Outcome(-1, tmp_path)
    deadline = time.monotonic() + 120
    while not outcome.metric("train_loss") and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 10, outcome.log
    record = manifest.verify(outcome.output("adapter"))
    assert record.facts["partial"] is True
    assert record.facts["steps"] == outcome.of("checkpoint")[-1]["step"] == max(outcome.metric("train_loss"))
    assert not outcome.of("finished")


PAIR = ("What is a list?", "A list is a mutable sequence of objects.")


def test_it_refuses_a_single_pair(engine_run: Callable, base_model: Path, dataset_of: Callable) -> None:
    outcome = engine_run("sft", {}, {"model": base_model, "dataset": dataset_of(train=[PAIR])}, expect=20)
    (error,) = outcome.of("error")
    assert error["code"] == "too_few_pairs"
    assert "at least 8 pairs" in error["message"]
    assert error["mend"]
    assert [warning["code"] for warning in outcome.of("warning")] == []


@pytest.mark.parametrize(("pair", "kind"), [(("Why?", " "), "empty_answer"), (("why " * 400, "Because."), "no_room")])
def test_it_refuses_pairs_of_which_none_can_teach(
    pair: tuple[str, str], kind: str, base_model: Path, dataset_of: Callable, tmp_path: Path
) -> None:
    from engine.lib import models

    inputs = {"model": str(base_model), "dataset": str(dataset_of(train=[pair] * 9))}
    context = Context(tmp_path, Spec(stage="sft", inputs=inputs), events.EventWriter(tmp_path))
    with pytest.raises(InputError) as raised:
        data.read_pairs(context, settings.LoopParams(max_length=64), models.load_tokenizer(base_model))
    assert raised.value.code == "no_usable_pairs"
    assert f"{kind}: 9" in raised.value.message
    assert [warning["code"] for warning in Outcome(20, tmp_path).of("warning")] == [kind]


def test_it_names_the_rows_it_leaves_out_or_cuts(base_model: Path, dataset_of: Callable) -> None:
    from engine.lib import models

    folder = dataset_of(train=[PAIR, ("Empty?", ""), ("long " * 300, "Yes."), ("Cut?", "word " * 300)])
    found, rejects = chat_rows.encode(chat_rows.read_split(folder, "train"), models.load_tokenizer(base_model), 128)
    assert [row.row.line for row in found] == [1, 4]
    assert len(found[1].ids) == 128
    warnings: list[dict] = []
    chat_rows.warn_rejects(lambda code, message, **rest: warnings.append({"code": code} | rest), rejects, 4, 128)
    assert {w["code"]: w["where"] for w in warnings} == {
        "empty_answer": "train.jsonl, row 2", "no_room": "train.jsonl, row 3", "answer_cut": "train.jsonl, row 4",
    }  # fmt: skip
