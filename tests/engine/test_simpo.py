"""SimPO makes good answers likelier than worse ones by a margin, as the library does it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import manifest
from tests.engine import preference_kit
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow


def test_the_margin_grows_as_with_the_library(prefer: Callable[..., Outcome], tiny_model: Path, tmp_path: Path) -> None:
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    done = prefer("simpo")
    margins = done.metric("eval_rewards_margins")
    assert margins[4] > margins[0]
    assert done.metric("eval_loss")[4] < done.metric("eval_loss")[0]

    rows = preference_kit.in_the_trainers_form(preference_kit.preference_rows(12))
    options = {"loss_type": "simpo", "cpo_alpha": 0.0, "beta": 2.0, "simpo_gamma": 1.0}
    plain = preference_kit.losses_of_the_library(CPOTrainer, CPOConfig, tiny_model, rows, tmp_path / "plain", **options)
    assert done.metric("train_loss") == pytest.approx(plain, abs=1e-3)

    assert manifest.verify(done.output("adapter")).facts["method"] == "simpo"
    preference_kit.answers_as_adapter(tiny_model, done.output("adapter"))
