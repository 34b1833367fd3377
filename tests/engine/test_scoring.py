"""Loss on answer tokens in chunks is the loss; intervals hold what they should; overlap counts words of any script."""

import random
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from engine.lib import batches, bootstrap, chat_rows, mmlu, models, overlap
from engine.lib.training.settings import LoraParams


def test_loss_and_gradient_are_those_of_the_whole_model(base_model: Path, topics: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from engine.lib import adapters, scoring

    monkeypatch.setattr(scoring, "CHUNK", 30)
    tokenizer = models.load_tokenizer(base_model)
    rows, _ = chat_rows.encode(chat_rows.read_split(topics, "test"), tokenizer, 512)
    model = models.load_model(base_model, dtype=torch.float32)
    model = adapters.attach_lora(model, LoraParams(rank=4, alpha=8, target="attention"))
    probe = next(p for n, p in model.named_parameters() if "layers.20.self_attn.v_proj.lora_B" in n)
    batch = batches.collate(rows[:2], tokenizer.pad_token_id)
    ours = scoring.backward_on_answers(model, batch, 1 / len(batch.targets)) / len(batch.targets)
    gradient = probe.grad.clone()

    model.zero_grad()
    longest = batch.ids.shape[1]
    labels = torch.full_like(batch.ids, -100)
    mask = torch.zeros_like(batch.ids)
    for n, row in enumerate(rows[:2]):
        mask[n, : len(row.ids)] = 1
        labels[n] = torch.tensor([t if a else -100 for t, a in zip(row.ids, row.answer, strict=True)] + [-100] * (longest - len(row.ids)))
    theirs = model(input_ids=batch.ids, attention_mask=mask, labels=labels).loss
    theirs.backward()
    assert ours == pytest.approx(theirs.item(), rel=1e-4)
    torch.testing.assert_close(gradient, probe.grad, rtol=1e-3, atol=1e-6)
    scored = scoring.row_losses(model, rows[:2], tokenizer.pad_token_id, batch_size=1)
    assert scored is not None
    assert scoring.mean_loss(scored) == pytest.approx(ours, rel=1e-4)


def test_intervals_hold_the_true_mean_about_19_times_in_20() -> None:
    dice = random.Random(0)
    held = 0
    for seed in range(200):
        found = bootstrap.mean([dice.gauss(3, 1) for _ in range(60)], seed)
        held += found["low"] <= 3 <= found["high"]
    assert 180 <= held <= 199


def test_an_interval_over_many_rows_does_not_fill_the_memory() -> None:
    values = [float(number % 7) for number in range(20_000)]
    tracemalloc.start()
    found = bootstrap.mean(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 2**20  # all draws at once are 600 MiB
    assert found["low"] < found["value"] < found["high"]


def test_an_interval_does_not_depend_on_how_many_rows_are_drawn_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [float(number % 7) for number in range(777)]
    whole = bootstrap.mean(values)
    monkeypatch.setattr(bootstrap, "AT_ONCE", 5000)
    assert bootstrap.mean(values) == whole


def test_a_loss_per_token_weighs_rows_by_their_tokens() -> None:
    assert bootstrap.ratio([10.0, 2.0], [10, 1])["value"] == pytest.approx(12 / 11)


def test_overlap_counts_words_of_any_script() -> None:
    assert overlap.token_f1("Paris, of course.", "paris") == pytest.approx(2 / 4)
    assert overlap.token_f1("", "x") == 0
    assert overlap.rouge_l(["Größe und Maß"], ["größe und maß"]) == [1.0]


def test_general_questions_are_spread_over_the_subjects_and_seeded() -> None:
    found = mmlu.questions(seed=0)
    assert len(found) == 281
    for rounds in (1, 2):  # two a subject is what a report asks unless it is told otherwise
        assert set(Counter(question.subject for question in found[: 57 * rounds]).values()) == {rounds}
    assert found == mmlu.questions(seed=0)
    assert found[:57] != mmlu.questions(seed=1)[:57]
