"""Tokenizers that do not quite fit their model: without a padding token, or with more words than the model knows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from engine import manifest
from engine.lib import models
from tests.engine.preference_kit import preference_rows, write_dataset
from tests.engine.stage_running import Outcome
from tests.engine.teaching import copy_of, with_other_words

WRITING = {"generations": 2, "max_new_tokens": 8, "batch_size": 2, "gradient_accumulation": 1}
ODD = [{"role": "user", "content": "What is a quantifier?"}, {"role": "assistant", "content": "It says how often."}]


def padded_with(model: Path, folder: Path, token: str | None) -> Path:
    """``model`` with that padding token, which is added where there is no such token yet."""
    copy_of(model, folder)
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    if token is None:
        tokenizer.pad_token = None
    else:
        tokenizer.add_special_tokens({"pad_token": token})
    tokenizer.save_pretrained(str(folder))
    manifest.write(folder, "hf-model", facts=manifest.read(model).facts)
    return folder


@pytest.mark.parametrize("token", [None, "[PAD]"])
@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_without_a_padding_token_that_the_model_knows_it_learns_all_the_same(
    prefer: Callable[..., Outcome], tiny_model: Path, tmp_path: Path, stage: str, token: str | None
) -> None:
    odd = padded_with(tiny_model, tmp_path / "odd", token)
    found = AutoTokenizer.from_pretrained(str(odd), local_files_only=True).pad_token_id
    assert found is None if token is None else found == 49152  # one beyond the model's last
    assert models.load_tokenizer(odd).pad_token_id < 49152
    as_ever, done = prefer(stage), prefer(stage, model=odd)
    assert done.metric("train_loss") == pytest.approx(as_ever.metric("train_loss"), abs=1e-6)  # padding is never looked at


@pytest.mark.parametrize("stage", ["sft", "dpo", "reward", "grpo"])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_word_that_the_model_has_no_weights_for_is_named(
    prefer: Callable[..., Outcome], tiny_model: Path, tmp_path: Path, stage: str, split: str
) -> None:
    odd = {"id": "odd", "messages": ODD, "rejected": [{"role": "assistant", "content": "A fish."}], "fork": 1}
    rows: dict[str, Any] = {"train": preference_rows(10), "validation": preference_rows(3, skip=12)}
    rows[split].insert(0, odd)
    dataset = write_dataset(tmp_path / "dataset", **rows)
    more = WRITING if stage == "grpo" else {}
    (error,) = prefer(stage, model=with_other_words(tiny_model, tmp_path / "odd"), dataset=dataset, expect=20, **more).of("error")
    assert error["code"] == "unknown_token" and "“quantifier”" in error["message"] and "49,152" in error["message"]
    prefer(stage, model=tmp_path / "odd", max_steps=1, **more)  # where no text has the word, it does no harm
