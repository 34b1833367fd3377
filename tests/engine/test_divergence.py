"""Divergences are those of the paper as TRL has them, their gradient in chunks is the whole one, and widths of heads may differ."""

from typing import Any

import pytest

from engine.lib import batches, chat_rows, divergence

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}


def tiny(seed: int, vocabulary: int = 50) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, initializer_range=0.5, **SIZES)).eval()


def rows() -> list[chat_rows.Encoded]:
    found = []
    for number in range(3):
        ids = [3 + (number * 7 + place * 3) % 40 for place in range(6 + 3 * number)]
        found.append(chat_rows.Encoded(chat_rows.Row(str(number), [], "train", number), ids, [place >= 3 for place in range(len(ids))]))
    return found


@pytest.mark.parametrize("beta", [0, 0.3, 0.5, 1])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_divergence_is_trls(beta: float, temperature: float) -> None:
    import torch
    from trl.experimental.gkd import GKDTrainer

    student, teacher = torch.randn(2, 6, 40) * 3, torch.randn(2, 6, 40) * 3
    theirs = GKDTrainer.generalized_jsd_loss(student, teacher, beta=beta, temperature=temperature, reduction="none").sum(-1)
    torch.testing.assert_close(divergence.divergence(student, teacher, beta, temperature), theirs)


@pytest.mark.parametrize(("beta", "share", "temperature"), [(0, 1.0, 1.0), (1, 0.5, 2.0), (0.4, 0.7, 1.5), (0, 0.0, 1.0)])
def test_the_gradient_in_chunks_is_that_of_the_whole(
    beta: float, share: float, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from torch.nn.functional import cross_entropy

    monkeypatch.setattr(divergence, "CHUNK", 4)
    student, teacher = tiny(1), tiny(2, vocabulary=56)  # its head is rounded up
    batch = batches.collate(rows(), 0)
    total, away = divergence.backward(student, teacher, batch, 0.25, beta=beta, temperature=temperature, share=share)
    gradients = {name: weight.grad.clone() for name, weight in student.named_parameters()}

    student.zero_grad()
    ours = student(input_ids=batch.ids).logits.flatten(0, 1)[batch.positions]
    with torch.no_grad():
        theirs = teacher(input_ids=batch.ids).logits.flatten(0, 1)[batch.positions][:, :50]
    far = divergence.divergence(ours, theirs, beta, temperature).sum()
    whole = share * temperature**2 * far + (1 - share) * cross_entropy(ours, batch.targets, reduction="sum")
    (whole * 0.25).backward()
    assert total == pytest.approx(whole.item(), rel=1e-5)
    assert away == pytest.approx(divergence.divergence(ours, theirs, 0).sum().item(), rel=1e-5)
    for name, weight in student.named_parameters():
        torch.testing.assert_close(gradients[name], weight.grad, rtol=1e-4, atol=1e-6)
    assert all(weight.grad is None for weight in teacher.parameters())


def test_the_mean_over_rows_weighs_tokens_and_is_nothing_between_equals() -> None:
    student, teacher = tiny(1), tiny(2)
    student.train()
    whole = divergence.mean_kl(student, teacher, rows(), 0, at_once=2)
    assert student.training
    batch = batches.collate(rows(), 0)
    _, away = divergence.backward(student, teacher, batch, 1.0, beta=0, temperature=1.0, share=1.0)
    assert whole == pytest.approx(away / len(batch.targets), rel=1e-4)
    assert divergence.mean_kl(teacher, teacher, rows(), 0, at_once=3) == pytest.approx(0, abs=1e-6)
