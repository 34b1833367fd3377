"""DPO widens the gap between good and worse answers, as the library does it, and resumes exactly."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest
from tests.engine import preference_kit
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow


def test_the_good_answers_pull_ahead_as_with_the_library(prefer: Callable[..., Outcome], tiny_model: Path, tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer

    done = prefer("dpo")
    margins, losses = done.metric("rewards_margins"), done.metric("train_loss")
    assert margins[1] == 0 and margins[4] > 0.1
    assert done.metric("eval_loss")[4] < done.metric("eval_loss")[0] == pytest.approx(0.6931, abs=1e-4)
    for name in ("learning_rate", "grad_norm", "tokens_per_second", "memory_bytes"):
        assert all(value > 0 for value in done.metric(name).values())
    assert sorted(done.metric("general_loss")) == [0, 2, 4]
    assert [sample["title"] for sample in done.of("sample")] == ["Before training", "After step 2", "After step 4"]

    rows = preference_kit.in_the_trainers_form(preference_kit.preference_rows(12))
    plain = preference_kit.losses_of_the_library(DPOTrainer, DPOConfig, tiny_model, rows, tmp_path / "plain")
    assert losses == pytest.approx(plain, abs=1e-3)

    record = manifest.verify(done.output("adapter"))
    assert set(record.files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert record.facts["method"] == "dpo" and record.facts["base"] == manifest.read(tiny_model).sha256
    assert str(tiny_model) not in (done.output("adapter") / "adapter_config.json").read_text()
    preference_kit.answers_as_adapter(tiny_model, done.output("adapter"))


@pytest.mark.parametrize("given", [False, True])
def test_cut_in_the_middle_of_an_epoch_and_resumed_it_goes_on_as_if_nothing_had_been(prefer: Callable[..., Outcome], given: bool) -> None:
    settings = {"dropout": 0.1, "adapter": prefer("dpo", max_steps=1).output("adapter") if given else None}
    whole = prefer("dpo", **settings)
    cut = prefer("dpo", **settings, expect=10, stop_at=1)  # it ends after the second of three steps of its epoch
    assert manifest.verify(cut.output("adapter")).facts["partial"] is True
    checkpoint = max((cut.folder / "checkpoints").iterdir())
    resumed = prefer("dpo", **settings, resume_from=checkpoint)
    expected = whole.metric("train_loss")
    assert resumed.metric("train_loss") == pytest.approx({3: expected[3], 4: expected[4]}, abs=1e-6)
    assert resumed.metric("eval_loss")[4] == pytest.approx(whole.metric("eval_loss")[4], abs=1e-6)
    assert not list(checkpoint.rglob("*.bin"))
    if given:
        assert whole.metric("rewards_margins")[1] != 0  # the adapter's dropout is on; its frozen copy has none
        return

    other = prefer("dpo", **settings, beta=0.3, resume_from=checkpoint, expect=20)
    assert (other.of("error")[0]["code"], other.of("error")[0]["where"]) == ("checkpoint_other", "beta")
    (checkpoint / "optimizer.pt").write_bytes(b"x")
    damaged = prefer("dpo", **settings, resume_from=checkpoint, expect=20)
    assert damaged.of("error")[0]["code"] == "checkpoint_damaged"


def test_ipo_is_a_choice_of_loss(prefer: Callable[..., Outcome]) -> None:
    done = prefer("dpo", loss="ipo", max_steps=2)
    assert done.metric("train_loss")[1] == pytest.approx(25, abs=1e-3)  # (0 − 1/(2·0.1))²
    assert manifest.read(done.output("adapter")).facts["method"] == "ipo"


def test_a_dataset_without_worse_answers_is_refused_with_advice(prefer: Callable[..., Outcome], tmp_path: Path) -> None:
    rows = [{name: row[name] for name in ("id", "messages")} for row in preference_kit.preference_rows(9)]
    refused = prefer("dpo", dataset=preference_kit.write_dataset(tmp_path / "plain", train=rows), expect=20)
    (error,) = refused.of("error")
    assert error["code"] == "no_preferences" and "None of the 9" in error["message"] and "chat" in error["mend"]


def test_an_adapter_of_another_base_is_refused(prefer: Callable[..., Outcome], tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "adapter_config.json").write_text("{}")
    manifest.write(foreign, "adapter", facts={"base": "another"})
    assert prefer("dpo", adapter=foreign, expect=20).of("error")[0]["code"] == "adapter_mismatch"
