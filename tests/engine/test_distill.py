"""Distilling brings the student nearer to its teacher, as TRL's trainer does, and refuses a teacher of another vocabulary."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import manifest
from engine.exits import InputError
from engine.lib import batches, chat_rows, models
from engine.lib.training import distilling
from engine.lib.training.distilling import DistillParams
from tests.engine.stage_running import Outcome
from tests.engine.teaching import with_other_words

FEW = {
    "max_steps": 3, "batch_size": 2, "epochs": 9, "eval_rows": 2, "eval_every": 3, "general_rows": 0, "warmup_ratio": 0.0,
    "schedule": "constant", "precision": "fp32", "learning_rate": 5e-3,
}  # fmt: skip
LIKE_GKD = FEW | {"divergence": "jsd", "beta": 0.3, "teacher_share": 1.0}


@pytest.fixture(scope="module")
def distilled(tiny_student: Path, tiny_teacher: Path, topics: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Three steps in fp32 with the settings that TRL's trainer is given below."""
    from engine.spec import Spec
    from tests.engine.stage_running import run_stage

    inputs = {"model": str(tiny_student), "teacher": str(tiny_teacher), "dataset": str(topics)}
    return run_stage(tmp_path_factory.mktemp("distilled") / "run", Spec(stage="distill", params=LIKE_GKD, inputs=inputs, seed=4))


def test_the_student_comes_nearer_to_its_teacher(distilled: Outcome) -> None:
    away = distilled.metric("eval_kl")
    assert sorted(away) == [0, 3] and 0 < away[3] < 0.95 * away[0]
    assert all(value > 0 for value in distilled.metric("kl").values())
    assert not distilled.metric("own_answers")


def test_it_hands_over_a_whole_model_that_says_who_taught_it(distilled: Outcome, tiny_teacher: Path, tiny_student: Path) -> None:
    facts = manifest.verify(distilled.output("model")).facts
    assert (facts["method"], facts["divergence"], facts["on_policy"]) == ("distill", "jsd", 0.0)
    assert facts["teacher"] == manifest.read(tiny_teacher).sha256 and facts["base"] == manifest.read(tiny_student).sha256
    before, after = (models.load_model(folder) for folder in (tiny_student, distilled.output("model")))
    assert not bool((before.lm_head.weight == after.lm_head.weight).all())


def test_its_first_losses_are_those_of_trls_trainer(
    distilled: Outcome, tiny_student: Path, tiny_teacher: Path, topics: Path, tmp_path: Path
) -> None:
    import torch
    from datasets import Dataset
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    tokenizer = models.load_tokenizer(tiny_student)
    rows, _ = chat_rows.encode(chat_rows.read_split(topics, "train"), tokenizer, 1024)
    order = batches.shuffled([len(row.ids) for row in rows], 2, 4, 0)[:3]

    def shown(row: chat_rows.Encoded) -> dict[str, Any]:
        ids = row.ids[: max(place for place, is_answer in enumerate(row.answer) if is_answer) + 1]  # without the line break at the end
        return {
            "prompt": "",
            "messages": row.row.messages,
            "input_ids": ids,
            "completion_mask": [int(one) for one in row.answer[: len(ids)]],
        }

    class InOrder(GKDTrainer):
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    trainer = InOrder(
        model=models.load_model(tiny_student, dtype=torch.float32, device="cpu"),
        teacher_model=models.load_model(tiny_teacher, dtype=torch.float32, device="cpu"),
        args=GKDConfig(
            output_dir=str(tmp_path), lmbda=0.0, beta=0.3, temperature=1.0, per_device_train_batch_size=2, max_steps=3, learning_rate=5e-3,
            lr_scheduler_type="constant", warmup_steps=0, weight_decay=0.0, max_grad_norm=1.0, logging_steps=1, save_strategy="no",
            report_to=[], bf16=False, use_cpu=True, gradient_checkpointing=False, max_length=1024, disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list([shown(rows[number]) for batch in order for number in batch]),
        processing_class=tokenizer,
    )  # fmt: skip
    trainer.train()
    theirs = [record["loss"] for record in trainer.state.log_history if "loss" in record]
    assert list(distilled.metric("train_loss").values()) == pytest.approx(theirs, abs=1e-3)
    assert max(theirs) > 0.01  # else any losses would be equal


def test_a_student_that_answers_itself_follows_the_teacher_alone(
    engine_run: Callable[..., Outcome], tiny_student: Path, tiny_teacher: Path, topics: Path
) -> None:
    params = FEW | {"max_steps": 2, "on_policy": 1.0, "own_tokens": 8, "teacher_share": 0.2, "precision": "auto"}
    outcome = engine_run("distill", params, {"model": tiny_student, "teacher": tiny_teacher, "dataset": topics})
    assert outcome.metric("own_answers") == {1: 1.0, 2: 1.0}
    assert outcome.of("finished")[0]["summary"]["answer_tokens"] <= 2 * 2 * 8
    assert list(outcome.metric("train_loss").values()) == pytest.approx(list(outcome.metric("kl").values()), rel=1e-3)


def test_a_teacher_of_another_vocabulary_is_refused_with_the_reason(
    engine_run: Callable[..., Outcome], tiny_student: Path, tiny_teacher: Path, topics: Path, tmp_path: Path
) -> None:
    inputs = {"model": tiny_student, "teacher": with_other_words(tiny_teacher, tmp_path / "other"), "dataset": topics}
    outcome = engine_run("distill", FEW, inputs, expect=20)
    (error,) = outcome.of("error")
    assert (error["code"], error["where"]) == ("vocabulary", "teacher")
    assert "49,152 tokens, the teacher 49,153" in error["message"] and "“quantifier” is missing and number 49152" in error["message"]
    assert "family" in error["mend"]


def test_tokenizers_that_know_the_same_tokens_but_cut_differently_are_refused(tiny_student: Path) -> None:
    from tokenizers import normalizers

    ours, theirs = models.load_tokenizer(tiny_student), models.load_tokenizer(tiny_student)
    distilling.check_same_vocabulary(ours, theirs, ["What is a List?"])
    theirs.backend_tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(InputError, match="cut texts differently"):
        distilling.check_same_vocabulary(ours, theirs, ["what is it?", "What is a List?"])


def test_the_students_answers_stand_behind_the_questions(tiny_student: Path, topics: Path) -> None:
    import torch

    tokenizer, model = models.load_tokenizer(tiny_student), models.load_model(tiny_student)
    rows = chat_rows.encode(chat_rows.read_split(topics, "train"), tokenizer, 1024)[0][:2]
    torch.manual_seed(0)
    own = distilling.own_answers(model, tokenizer, rows, DistillParams(own_tokens=6))
    for row, written in zip(rows, own, strict=True):
        question = row.ids[: row.answer.index(True)]
        assert written.ids[: len(question)] == question and written.row is row.row
        assert not any(written.answer[: len(question)]) and all(written.answer[len(question) :])
        assert 1 <= written.answer_tokens <= 6
        assert tokenizer.eos_token_id not in written.ids[len(question) : -1]
    assert [one.ids for one in own] != [row.ids for row in rows]
    torch.manual_seed(0)
    again = distilling.own_answers(model, tokenizer, rows, DistillParams(own_tokens=6))
    assert [one.ids for one in again] == [one.ids for one in own]
