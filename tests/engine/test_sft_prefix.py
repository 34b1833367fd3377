"""Prefix tuning learns keys and values for every layer, goes on where it was cut, and does not offer what would lose them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine import manifest, registry

PARAMS = {
    "max_steps": 4, "batch_size": 2, "warmup_ratio": 0.0, "general_rows": 2, "eval_rows": 2, "eval_every": 2, "checkpoint_every": 2,
    "virtual_tokens": 6,
}  # fmt: skip


def test_it_goes_on_where_it_was_cut(engine_run: Callable, tiny_student: Path, topics: Path) -> None:
    from safetensors.torch import load_file

    inputs = {"model": tiny_student, "dataset": topics}
    whole = engine_run("sft_prefix", PARAMS, inputs, seed=1)
    cut = engine_run("sft_prefix", PARAMS, inputs, seed=1, expect=-9, STUDIO_FAULT="checkpoint.after_rename")
    (checkpoint,) = (cut.folder / "checkpoints").iterdir()
    resumed = engine_run("sft_prefix", PARAMS, inputs, seed=1, resume_from=checkpoint)
    losses = whole.metric("train_loss")
    assert resumed.metric("train_loss") == {3: losses[3], 4: losses[4]}
    record, again = (manifest.verify(outcome.output("adapter")) for outcome in (whole, resumed))
    assert record.files["adapter_model.safetensors"] == again.files["adapter_model.safetensors"]
    assert (record.kind, record.facts["method"]) == ("soft-prompt", "prefix tuning")
    (learnt,) = load_file(str(whole.output("adapter") / "adapter_model.safetensors")).values()
    assert learnt.shape == (6, 2 * 2 * 2 * 16)  # layers, keys and values, key-value heads, their width


def test_computing_anew_would_lose_the_prefix_and_is_not_offered() -> None:
    with pytest.raises(ValidationError, match="gradient_checkpointing"):
        registry.get("sft_prefix").params(gradient_checkpointing=True)
