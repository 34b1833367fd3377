"""A reward model scores good answers above worse ones, as the library's own does, and resumes exactly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import manifest, registry
from tests.engine import preference_kit
from tests.engine.preference_kit import LORA, PLAIN, SETTINGS, preference_rows
from tests.engine.stage_running import Outcome

pytestmark = pytest.mark.slow


def losses_of_the_library(base: Path, output: Path, **options: Any) -> dict[int, float]:
    """The first losses of `trl.RewardTrainer` as anybody would start it, on the same pairs with the same settings."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    run = RewardTrainer(
        model=str(base),
        args=RewardConfig(**(PLAIN | {"output_dir": str(output), "max_length": SETTINGS["max_length"]} | options)),
        train_dataset=Dataset.from_list(preference_kit.in_the_trainers_form(preference_rows(12))),
        processing_class=AutoTokenizer.from_pretrained(str(base)),
        peft_config=LoraConfig(**LORA | {"task_type": "SEQ_CLS", "modules_to_save": ["score"]}),
    )  # fmt: skip
    run.train()
    return {entry["step"]: entry["loss"] for entry in run.state.log_history if "loss" in entry}


def test_the_good_answers_score_higher_as_with_the_library(prefer: Callable[..., Outcome], tiny_model: Path, tmp_path: Path) -> None:
    done = prefer("reward", center=0)
    assert done.metric("eval_loss")[4] < done.metric("eval_loss")[0]
    assert done.metric("eval_margin")[4] > done.metric("eval_margin")[0] + 0.1
    assert done.metric("train_loss") == pytest.approx(losses_of_the_library(tiny_model, tmp_path / "plain"), abs=1e-3)
    assert not done.metric("general_loss") and not done.of("sample")  # it writes nothing
    assert not done.metric("tokens_per_second") and "tokens_per_second" not in done.of("finished")[0]["summary"]  # nor learns by tokens
    assert all(speed > 0 for speed in done.metric("all_tokens_per_second").values())

    record = manifest.verify(done.output("adapter"))
    assert record.kind == "reward-model" and set(record.files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert record.facts["method"] == "reward model" and record.facts["base"] == manifest.read(tiny_model).sha256
    assert record.facts["accuracy"] == done.metric("eval_accuracy")[4]
    assert str(tiny_model) not in (done.output("adapter") / "adapter_config.json").read_text()


def test_what_is_handed_over_scores_as_the_last_look_did(prefer: Callable[..., Outcome], tiny_model: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    from engine.lib import models, reward_models

    done = prefer("reward")
    tokenizer = models.load_tokenizer(tiny_model)
    ours = reward_models.load(tiny_model, done.output("adapter"), tokenizer, dtype=torch.float32)
    plain = AutoModelForSequenceClassification.from_pretrained(str(tiny_model), num_labels=1, dtype=torch.float32)
    plain.config.pad_token_id = tokenizer.pad_token_id
    plain = PeftModel.from_pretrained(plain, str(done.output("adapter"))).eval()
    margins = []
    for row in preference_rows(4, skip=12):
        good, worse = ([*row["messages"][:1], *turns] for turns in (row["messages"][1:], row["rejected"]))
        texts = [tokenizer.apply_chat_template(talk, return_dict=True, return_tensors="pt", max_length=160) for talk in (good, worse)]
        with torch.no_grad():
            scores = [float(ours(**text).logits) for text in texts]
            assert scores == pytest.approx([float(plain(**text).logits) for text in texts], abs=1e-6)
        margins.append(scores[0] - scores[1])
    assert sum(margins) / 4 == pytest.approx(done.metric("eval_margin")[4], abs=1e-4)
    assert sum(margin > 0 for margin in margins) / 4 == manifest.read(done.output("adapter")).facts["accuracy"]


def test_every_validation_pair_counts_as_much_also_in_a_smaller_last_batch(prefer: Callable[..., Outcome]) -> None:
    at_once, two_by_two = (prefer("reward", eval_rows=3, max_steps=1, eval_every=1, batch_size=rows) for rows in (3, 2))
    for name in ("eval_accuracy", "eval_margin", "eval_mean_reward"):
        assert at_once.metric(name)[0] == pytest.approx(two_by_two.metric(name)[0], abs=1e-6), name
    assert two_by_two.metric("eval_accuracy")[0] == pytest.approx(round(3 * two_by_two.metric("eval_accuracy")[0]) / 3)


@pytest.mark.parametrize("given", [False, True])
def test_cut_and_resumed_it_goes_on_as_if_nothing_had_been(prefer: Callable[..., Outcome], given: bool) -> None:
    settings = {"dropout": 0.1, "adapter": prefer("dpo", max_steps=1).output("adapter") if given else None}
    whole = prefer("reward", **settings)
    cut = prefer("reward", **settings, expect=10, stop_at=1)
    resumed = prefer("reward", **settings, resume_from=max((cut.folder / "checkpoints").iterdir()))
    expected = whole.metric("train_loss")
    assert resumed.metric("train_loss") == pytest.approx({3: expected[3], 4: expected[4]}, abs=1e-6)
    facts = manifest.verify(resumed.output("adapter")).facts
    assert facts["accuracy"] == manifest.read(whole.output("adapter")).facts["accuracy"]
    assert ("went_on_from" in facts) == given


def test_a_judge_that_goes_on_from_an_adapter_begins_with_its_weights(prefer: Callable[..., Outcome], tiny_model: Path) -> None:
    import torch
    from peft import PeftModel

    from engine.lib import models, reward_models
    from engine.stages.reward import Params

    folder = prefer("dpo", max_steps=2).output("adapter")
    tokenizer = models.load_tokenizer(tiny_model)
    model = reward_models.scoring_model(tiny_model, tokenizer, dtype=torch.float32)
    judge = reward_models.attach(model, Params(), folder)
    tuned = PeftModel.from_pretrained(models.load_model(tiny_model, dtype=torch.float32, device="cpu"), str(folder))
    learnt = {name: weight for name, weight in tuned.named_parameters() if "lora_" in name}
    mine = dict(judge.named_parameters())
    assert learnt and all(torch.equal(mine[name], weight) for name, weight in learnt.items())
    assert {name for name, weight in mine.items() if weight.requires_grad} - learnt.keys() == {
        "base_model.model.score.modules_to_save.default.weight"
    }


def test_a_reward_model_of_another_base_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    from engine.exits import InputError
    from engine.lib import models, reward_models

    (tmp_path / "adapter_config.json").write_text("{}")
    manifest.write(tmp_path, "reward-model", facts={"base": "another"})
    with pytest.raises(InputError, match="trained on another one"):
        reward_models.load(tiny_model, tmp_path, models.load_tokenizer(tiny_model), dtype=torch.float32)


def test_only_rloo_takes_a_reward_model() -> None:
    takers = {info.key for info in registry.all_stages() if "reward-model" in {kind for kind, _ in info.roles.values()}}
    assert takers == {"rloo"}
