"""ORPO learns the good answers and turns from the worse ones at once, as the library does it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest
from tests.engine import preference_kit
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow


def test_the_odds_of_the_good_answers_rise_as_with_the_library(prefer: Callable[..., Outcome], tiny_model: Path, tmp_path: Path) -> None:
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    done = prefer("orpo", beta=5.0)  # a model that knows nothing learns from the answers first; at 0.1 it would take longer to prefer any
    assert done.metric("eval_log_odds_chosen")[4] > done.metric("eval_log_odds_chosen")[0]
    assert done.metric("eval_loss")[4] < done.metric("eval_loss")[0]

    rows = preference_kit.in_the_trainers_form(preference_kit.preference_rows(12))
    plain = preference_kit.losses_of_the_library(ORPOTrainer, ORPOConfig, tiny_model, rows, tmp_path / "plain", beta=5.0)
    assert done.metric("train_loss") == pytest.approx(plain, abs=1e-3)

    assert manifest.verify(done.output("adapter")).facts["method"] == "orpo"
    preference_kit.answers_as_adapter(tiny_model, done.output("adapter"))
