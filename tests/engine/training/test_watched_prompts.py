"""What the model says to the same prompts before and while it is trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine.lib.training.settings import LoopParams
from tests.engine.preference_kit import preference_rows, write_dataset
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow
PROMPTS = ["What is a list?", "What is a loop?"]
ASKED: dict[str, Any] = {"watched_prompts": "What is a list?\n\n  What is a loop? \n", "max_steps": 2, "eval_every": 2}


def said(outcome: Outcome) -> list[tuple[str, str]]:
    return [(sample["title"], sample["prompt"]) for sample in outcome.of("sample")]


@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_every_prompt_is_answered_at_every_look_also_without_validation_pairs(
    prefer: Callable[..., Outcome], tmp_path: Path, stage: str
) -> None:
    wanted = [(title, prompt) for title in ("Before training", "After step 2") for prompt in PROMPTS]
    assert said(prefer(stage, **ASKED)) == wanted
    alone = write_dataset(tmp_path / "alone", train=preference_rows(10))
    assert said(prefer(stage, **ASKED, dataset=alone)) == wanted
    assert not said(prefer(stage, max_steps=2, dataset=alone))  # nothing was chosen, and there is no pair to take a question from


def test_a_judge_writes_nothing(prefer: Callable[..., Outcome]) -> None:
    assert not said(prefer("reward", **ASKED))


def test_another_choice_of_prompts_is_no_other_training(prefer: Callable[..., Outcome]) -> None:
    whole = prefer("sft", max_steps=2)
    cut = prefer("sft", max_steps=2, expect=10, stop_at=1)
    resumed = prefer("sft", **ASKED | {"eval_every": 2}, resume_from=max((cut.folder / "checkpoints").iterdir()))
    assert resumed.metric("train_loss") == {2: whole.metric("train_loss")[2]}
    assert said(resumed) == [("After step 2", prompt) for prompt in PROMPTS]


def test_more_than_five_are_refused() -> None:
    with pytest.raises(ValidationError, match="At most 5 prompts"):
        LoopParams(watched_prompts="\n".join("abcdef"))
